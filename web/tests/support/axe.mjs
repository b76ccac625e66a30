// axe-core's rules for WCAG 2.2 AA, applied to a screen as it stands.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { settled } from './settled.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function check(page, screen) {
  await settled(page);
  const loaded = await page.evaluate(() => 'axe' in window);
  // Evaluated by the debugger, so that the page's own policy stays as it is.
  if (!loaded) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => {
    const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    // An open menu belongs to the control that opened it and to no landmark.
    const region = { enabled: !document.querySelector('[role="menu"]') };
    return window.axe.run(document, { runOnly, rules: { region } });
  });
  const told = violations.map(
    (one) =>
      `${one.id}: ${one.help}\n${one.nodes.map((node) => `    ${node.target}: ${node.failureSummary}`).join('\n')}`,
  );
  assert.deepEqual(told, [], `${screen} is not accessible:\n${told.join('\n')}`);
}
