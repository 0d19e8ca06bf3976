/**
 * The provider's speed, gentleness and size, against two baselines in the same run: `sequential` (what the official
 * provider does) and `limit` (the physical floor). Prints a table of ratios and writes JSON; a missed target is printed as
 * missed, and no time is ever asserted.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startAzure } from './azure.ts';
import { baseline, provider } from './contestants.ts';
import { missedTargets, printTable, targetsOf } from './report.ts';
import type { Row, Scenario } from './scenario.ts';
import { cold } from './scenarios/cold.ts';
import { memory } from './scenarios/memory.ts';
import { pfx } from './scenarios/pfx.ts';
import { podsAtOnce } from './scenarios/pods.ts';
import { republish } from './scenarios/republish.ts';
import { start } from './scenarios/start.ts';
import { throttled } from './scenarios/throttled.ts';
import { warm } from './scenarios/warm.ts';

const SCENARIOS: readonly Scenario[] = [start, cold, warm, podsAtOnce, republish, throttled, pfx, memory];

const HELP = `Usage: npm run bench -- [options]

  --quick            few repetitions, under a minute
  --only TEXT        scenarios whose name has TEXT in it: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --provider CMD     another provider beside this one (repeatable): a command line, to which the flags --endpoint,
                     --healthz-port and --prometheus-port are added
  --alone            without this project's provider
  --node FLAGS       flags of node for this project's provider, of which the image has none
  --public-names     play the public cloud on port 443 and write /etc/hosts (root), for providers that resolve no
                     .localhost names
  --vault-ms N       latency of the vault (20)
  --entra-ms N       latency of Entra (60)
  --json FILE        where the numbers go (node_modules/.cache/bench/results.json)
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    provider: { type: 'string', multiple: true, default: [] },
    alone: { type: 'boolean', default: false },
    node: { type: 'string', default: '' },
    'public-names': { type: 'boolean', default: false },
    'vault-ms': { type: 'string', default: '20' },
    'entra-ms': { type: 'string', default: '60' },
    json: { type: 'string', default: 'node_modules/.cache/bench/results.json' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const words = (line: string) => line.split(' ').filter((word) => word !== '');
  const own = provider('akv-csi', [process.execPath, ...words(values.node), resolve('dist/main.js'), 'serve'], true);
  const others = values.provider.map((line, i) => provider(`provider ${i + 1}`, words(line), false));
  const latency = { vaultMs: Number(values['vault-ms']), entraMs: Number(values['entra-ms']) };
  const azure = await startAzure(latency, values['public-names']);
  const bench = {
    azure,
    providers: [...(values.alone ? [] : [own]), ...others],
    sequential: baseline('sequential'),
    limit: baseline('limit'),
    quick: values.quick,
  };
  const rows: Row[] = [];
  const startedAt = Date.now();
  try {
    for (const scenario of SCENARIOS.filter(({ name }) => name.includes(values.only))) {
      process.stderr.write(`${scenario.name} …\n`);
      rows.push(...(await scenario.run(bench)));
    }
  } finally {
    await azure.stop();
  }
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, nodeFlags: values.node };
  process.stdout.write(
    `\n${machine.node} ${machine.nodeFlags}, ${machine.cores} cores (${machine.cpu}); vault ${latency.vaultMs} ms, ` +
      `Entra ${latency.entraMs} ms; ${((Date.now() - startedAt) / 1000).toFixed(0)} s\n\n`,
  );
  printTable(rows);
  const missed = missedTargets(rows);
  process.stdout.write(missed.length === 0 ? '\nEvery target was met.\n' : `\nMissed:\n  ${missed.join('\n  ')}\n`);
  mkdirSync(dirname(values.json), { recursive: true });
  const results = rows.map((row) => ({ ...row, targets: targetsOf(row) }));
  writeFileSync(values.json, `${JSON.stringify({ machine, latency, rows: results }, null, 2)}\n`);
  process.stdout.write(`\nNumbers: ${values.json}\n`);
}

await main();
