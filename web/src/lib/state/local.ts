/** What the browser keeps for the page. A browser that refuses to keep anything only forgets. */
export function load<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`fm.${key}`);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

export function save(key: string, value: unknown): void {
  try {
    localStorage.setItem(`fm.${key}`, JSON.stringify(value));
  } catch {
    // Full, or forbidden in this browser: the choice lasts as long as the page.
  }
}
