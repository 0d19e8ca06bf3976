/** The layout of the dashboard for Grafana. monitoring.ci.test.ts runs its queries. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chartDir } from './helm.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
}

const { panels } = JSON.parse(readFileSync(join(chartDir, 'files/dashboard.json'), 'utf8')) as { panels: Panel[] };
/** Units by the ids that Grafana gives them. */
const UNITS = ['bytes', 'ops', 'percentunit', 'reqps', 's', 'short'];

test('panels fill the 24 columns without gaps and overlaps', () => {
  const cells = new Map<string, string>();
  for (const { title, gridPos } of panels)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined();
        cells.set(`${x},${y}`, title);
      }
  expect(cells.size).toBe(24 * Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)));
});

test('each panel has an id and a title of its own, a unit and an explanation', () => {
  for (const name of ['id', 'title'] as const)
    expect(new Set(panels.map((panel) => panel[name])).size).toBe(panels.length);
  for (const { title, description, fieldConfig } of panels.filter(({ type }) => type !== 'row')) {
    expect(description, title).toMatch(/^\S.*\.$/);
    expect(UNITS, title).toContain(fieldConfig?.defaults.unit);
  }
});
