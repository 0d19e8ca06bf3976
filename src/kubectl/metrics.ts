/**
 * Parses the provider's metrics. `status` calls it for each provider.
 */

/** Values by the {@link seriesKey} of their series. */
export type Metrics = ReadonlyMap<string, number>;

/** Returns the key of a series: the name of the metric, and all its labels in any order. */
export function seriesKey(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** Parses the series of the provider's own metrics that have labels. Lines of another form are left out. */
export function parseMetrics(text: string): Metrics {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf('} ');
    const [start = '', name = ''] = /^(akv_csi_\w+)\{/.exec(line) ?? [];
    const value = Number(line.slice(end + 2));
    if (name === '' || end === -1 || Number.isNaN(value)) continue;
    const labels = [...line.slice(start.length, end).matchAll(/\b(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', quoted = '']) => [
        label,
        quoted.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
      ],
    );
    found.set(seriesKey(name, Object.fromEntries(labels)), value);
  }
  return found;
}
