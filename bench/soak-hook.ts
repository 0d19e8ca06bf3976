/**
 * Counts the active resources of a provider, which loads it with `--import`. Writes them once a second to the file named
 * by `RESOURCES_FILE`.
 */
import { renameSync, writeFileSync } from 'node:fs';

const INTERVAL_MS = 1_000;
const file = process.env.RESOURCES_FILE ?? '/dev/null';

setInterval(() => {
  const resources = process.getActiveResourcesInfo();
  const timers = resources.filter((name) => name === 'Timeout').length;
  // The soak never reads half a file.
  writeFileSync(`${file}.new`, JSON.stringify({ timers, resources: resources.length }));
  renameSync(`${file}.new`, file);
}, INTERVAL_MS).unref();
