/**
 * Measures time, CPU time, requests and memory of the provider in the same run as a peer in Go and two baselines:
 * `sequential` (both read as the official provider does) and `limit` (bare requests, the lower bound). Prints a table of
 * ratios and writes JSON. Reports missed targets and asserts no time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startAzure } from './azure.ts';
import { goPeer } from './go-peer.ts';
import { baseline, provider } from './implementations.ts';
import { missedTargets, printTable, targetsOf } from './report.ts';
import { OWN_NAME, type Row, type Scenario } from './scenario.ts';
import { cold } from './scenarios/cold.ts';
import { memory } from './scenarios/memory.ts';
import { parts } from './scenarios/parts.ts';
import { pfx } from './scenarios/pfx.ts';
import { podsAtOnce } from './scenarios/pods.ts';
import { republish } from './scenarios/republish.ts';
import { select } from './scenarios/select.ts';
import { start } from './scenarios/start.ts';
import { throttled } from './scenarios/throttled.ts';
import { warm } from './scenarios/warm.ts';

const SCENARIOS: readonly Scenario[] = [
  start,
  cold,
  warm,
  podsAtOnce,
  republish,
  select,
  throttled,
  pfx,
  parts,
  memory,
];

const HELP = `Usage: npm run bench -- [options]

  --quick            run few repetitions, in about three minutes
  --only TEXT        run the scenarios whose name contains TEXT: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --provider CMD     also measure this provider (repeatable): a command line, to which the flags --endpoint,
                     --healthz-port and --prometheus-port are added
  --alone            do not measure this project's provider
  --no-peer          do not measure the peer in Go; without Go it is always left out
  --node FLAGS       run this project's provider with these flags of node; the image uses none
  --public-names     serve the names of the public cloud on port 443 and write /etc/hosts (needs root), for providers
                     that cannot resolve .localhost names
  --vault-ms N       latency of the vault (default: 20)
  --entra-ms N       latency of Entra ID (default: 60)
  --json FILE        write the results to FILE (default: node_modules/.cache/bench/results.json)
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    provider: { type: 'string', multiple: true, default: [] },
    alone: { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
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
  const node = [process.execPath, ...words(values.node)];
  const own = provider(OWN_NAME, [...node, resolve('dist/main.js'), 'serve'], { own: true, cloud: 'emulator' });
  const foreign = { own: false, cloud: 'emulator' } as const;
  const others = values.provider.map((line, i) => provider(`provider ${i + 1}`, words(line), foreign));
  const peer = values['no-peer'] ? undefined : goPeer();
  const latency = { vaultMs: Number(values['vault-ms']), entraMs: Number(values['entra-ms']) };
  const azure = await startAzure(latency, values['public-names']);
  const bench = {
    azure,
    providers: [...(values.alone ? [] : [own]), ...others],
    peer,
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
  process.stdout.write(
    missed.length === 0 ? '\nAll targets were met.\n' : `\nMissed targets:\n  ${missed.join('\n  ')}\n`,
  );
  mkdirSync(dirname(values.json), { recursive: true });
  const results = rows.map((row) => ({ ...row, targets: targetsOf(row) }));
  writeFileSync(values.json, `${JSON.stringify({ machine, latency, rows: results }, null, 2)}\n`);
  process.stdout.write(`\nResults: ${values.json}\n`);
}

await main();
