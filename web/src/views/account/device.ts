/** What a `User-Agent` says of a browser and its system, as people call them; the text itself where it says nothing known. */
export function deviceName(agent: string): { browser: string; system: string } {
  const browsers: [RegExp, string][] = [
    [/\bEdgA?\//, 'Edge'],
    [/\bOPR\//, 'Opera'],
    [/\bSamsungBrowser\//, 'Samsung Internet'],
    [/\b(Firefox|FxiOS)\//, 'Firefox'],
    [/\b(HeadlessChrome|Chrome|CriOS)\//, 'Chrome'],
    [/\bSafari\//, 'Safari'],
    [/\bcurl\//, 'curl'],
  ];
  const systems: [RegExp, string][] = [
    [/iPhone/, 'iPhone'],
    [/iPad/, 'iPad'],
    [/Android/, 'Android'],
    [/Windows/, 'Windows'],
    [/Mac OS X|Macintosh/, 'macOS'],
    [/CrOS/, 'ChromeOS'],
    [/Linux/, 'Linux'],
  ];
  const find = (list: [RegExp, string][]) => list.find(([sign]) => sign.test(agent))?.[1] ?? '';
  return { browser: find(browsers) || (agent.split(/[\s/]/)[0] ?? ''), system: find(systems) };
}

export const isHandheld = (agent: string): boolean => /iPhone|iPad|Android|Mobile/.test(agent);
