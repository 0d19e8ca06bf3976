/**
 * Storms of Mounts against a provider in a memory cgroup: whether each ends as it should, what was killed, and how often the
 * limit was reached. `npm run bench:storm -- --help` tells the options; `test/process/storm.ci.test.ts` runs the hard rows.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Azure, startAzure } from './azure.ts';
import { IMAGE_TUNABLES, provider, type Running } from './implementations.ts';
import { type Cgroup, cpuSecondsOf, memoryCgroup } from './linux.ts';
import { range } from './scenario.ts';
import { certificates, podOf, secrets } from './world.ts';

const HELP = `Usage: npm run bench:storm -- [options]

  --row TEXT      the row TEXT, written as pods x objects x bytes, identities, such as "10 x 160 x 25500, 10"; bytes "pfx"
                  means certificates; or the rows of the table that have TEXT in them (repeatable)
  --limit MIB     limit of the cgroup (repeatable; 128 and 100); "none" sets no limit
  --rounds N      rounds of each storm (2)
  --patience S    seconds that a round may take (90); after them the provider counts as stuck
  --deadline S    seconds after which the caller of a Mount gives up (120, as the kubelet)
  --flags TEXT    further flags of serve
  --tunables TEXT settings of the C library, GLIBC_TUNABLES (those of the image); "" for none
  --json FILE     where the results go
`;

const ROW = /^(\d+) x (\d+) x (\d+|pfx), (\d+)$/;
/** The rows, as `--row` takes them. Where the files of one pod have more than 4 MiB, each Mount must be refused. */
const ROWS = [
  '100 x 20 x 200, 100',
  '300 x 20 x 200, 300',
  '300 x 20 x 200, 1',
  '110 x 20 x 4000, 110',
  '100 x 50 x 2000, 100',
  '250 x 20 x 2000, 250',
  '300 x 20 x 4000, 300',
  '50 x 20 x 25000, 50',
  '100 x 20 x 25000, 1',
  '100 x 20 x 25000, 100',
  '110 x 20 x 24000, 1',
  '30 x 100 x 24000, 1',
  '1 x 160 x 25500, 1',
  '5 x 160 x 25500, 5',
  '10 x 160 x 25500, 10',
  '20 x 160 x 25500, 20',
  '20 x 160 x 25500, 1',
  '1 x 500 x 25000, 1',
  '3 x 500 x 25000, 3',
  '30 x 500 x 25000, 30',
  '20 x 50 x pfx, 20',
];

const LATENCY = { vaultMs: 20, entraMs: 60 };
const MIB = 2 ** 20;
const MAX_ANSWER_BYTES = 4 * MIB;
const SAMPLE_MS = 20;
const SETTLE_MS = 1500;

interface Storm {
  readonly text: string;
  readonly pods: number;
  readonly objects: number;
  readonly bytes: number;
  readonly pfx: boolean;
  readonly identities: number;
}

/** The result of one storm; sizes in MiB. */
export interface StormResult {
  readonly row: string;
  readonly limit: number | undefined;
  /** How each Mount ended, by gRPC code; `OK` among them. */
  readonly ends: Readonly<Record<string, number>>;
  /** True if each Mount ended as it should and nothing was killed. */
  readonly good: boolean;
  readonly killed: boolean;
  /** Wall time of each round, in seconds. */
  readonly seconds: readonly number[];
  readonly cpuSeconds: number;
  readonly idle: number;
  readonly anonymous: number;
  readonly peak: number;
  readonly atLimit: number;
  readonly majorFaults: number;
}

function parseRow(text: string): Storm {
  const [, pods, objects, size, identities] = ROW.exec(text) ?? [];
  if (pods === undefined) throw new Error(`no row has "${text}" in it, and it is none itself`);
  const pfx = size === 'pfx';
  return {
    ...{ text, pods: Number(pods), objects: Number(objects), pfx },
    bytes: pfx ? 0 : Number(size),
    identities: Number(identities),
  };
}

function azureFor({ objects, bytes, pfx, identities }: Storm): Promise<Azure> {
  const size = { identities, bytes, secrets: pfx ? 0 : objects, certificates: pfx ? objects : 0 };
  return startAzure(LATENCY, false, size);
}

/** The most that a reading has been, as long as `watch` runs. */
function highest(read: () => number) {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, read());
  }, SAMPLE_MS);
  return { most: () => most, stop: () => clearInterval(timer) };
}

async function mountAll(running: Running, storm: Storm, patienceMs: number): Promise<Map<string, number>> {
  const { pods, objects, pfx, identities } = storm;
  const ends = new Map<string, number>();
  const end = (kind: string) => ends.set(kind, (ends.get(kind) ?? 0) + 1);
  const wanted = pfx ? certificates(objects) : secrets(objects);
  const all = range(pods).map((n) =>
    running.mount(podOf(n, n % identities, wanted)).then(
      () => end('OK'),
      (error: Error & { code?: number }) => end(`code ${error.code ?? error.message}`),
    ),
  );
  await Promise.race([Promise.all(all), running.ended, sleep(patienceMs, undefined, { ref: false })]);
  return ends;
}

async function run(storm: Storm, limit: number | undefined, how: How): Promise<StormResult> {
  const azure = await azureFor(storm);
  const group = memoryCgroup('akv-csi-storm', limit === undefined ? undefined : limit * MIB);
  if (group === undefined) throw new Error('this machine allows no memory cgroup');
  try {
    return await stormIn(group, azure, { storm, limit, how });
  } finally {
    await azure.stop();
    group.remove();
  }
}

interface How {
  readonly rounds: number;
  readonly patienceMs: number;
  readonly deadlineMs: number;
  readonly flags: readonly string[];
  readonly tunables: string;
}

async function stormIn(
  group: Cgroup,
  azure: Azure,
  { storm, limit, how }: { readonly storm: Storm; readonly limit: number | undefined; readonly how: How },
): Promise<StormResult> {
  const { rounds, flags, tunables, patienceMs, deadlineMs } = how;
  const node = ownNode();
  const contestant = provider('akv-csi', [node.path, resolve('dist/main.js'), 'serve'], {
    own: true,
    cloud: 'emulator',
  });
  const running = await contestant.start(azure, {
    procsFiles: [group.procsFile],
    flags,
    tunables,
    cacheTtlMs: 500,
    deadlineMs,
  });
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  const anonymous = highest(group.anonymous);
  try {
    await sleep(SETTLE_MS);
    const idle = group.workingSet();
    const ends = new Map<string, number>();
    const seconds: number[] = [];
    let cpuSeconds = 0;
    for (const _ of range(rounds)) {
      const startedAt = performance.now();
      const before = ended ? 0 : cpuSecondsOf(running.pid);
      for (const [kind, count] of await mountAll(running, storm, patienceMs))
        ends.set(kind, (ends.get(kind) ?? 0) + count);
      seconds.push((performance.now() - startedAt) / 1000);
      if (ended || seconds.some((one) => one * 1000 > patienceMs)) break;
      cpuSeconds += cpuSecondsOf(running.pid) - before;
      await sleep(SETTLE_MS);
    }
    const killed = ended || group.killed() > 0;
    const [kind] = storm.objects * storm.bytes > MAX_ANSWER_BYTES ? ['code 9'] : ['OK'];
    return {
      row: storm.text,
      limit,
      ends: Object.fromEntries(ends),
      good: !killed && ends.get(kind) === rounds * storm.pods,
      killed,
      seconds,
      cpuSeconds,
      idle: idle / MIB,
      anonymous: anonymous.most() / MIB,
      peak: group.peak() / MIB,
      atLimit: group.atLimit(),
      majorFaults: group.majorFaults(),
    };
  } finally {
    anonymous.stop();
    await running.stop();
    node.remove();
  }
}

/** A copy of Node that nobody has read: the group pays for its file pages, as a container does that is first on a node. */
function ownNode() {
  const directory = mkdtempSync(join(tmpdir(), 'bench-node-'));
  const path = join(directory, 'node');
  copyFileSync(process.execPath, path);
  chmodSync(path, 0o755);
  spawnSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function print(result: StormResult): void {
  const { row, limit, ends, good, killed, seconds, cpuSeconds, idle, anonymous, peak, atLimit, majorFaults } = result;
  const counts = Object.entries(ends).map(([kind, count]) => `${count} ${kind}`);
  const cells = [
    good ? 'good' : 'BAD ',
    String(limit ?? 'none').padStart(4),
    row.padEnd(22),
    `anon ${anonymous.toFixed(0).padStart(3)} peak ${peak.toFixed(0).padStart(3)} idle ${idle.toFixed(0)}`,
    `failcnt ${atLimit} majflt ${majorFaults}`,
    `${seconds.map((one) => one.toFixed(1)).join(' ')} s, CPU ${cpuSeconds.toFixed(1)} s`,
    killed ? 'KILLED' : '',
    counts.join(', '),
  ];
  process.stdout.write(`${cells.filter((cell) => cell !== '').join('  ')}\n`);
}

const { values } = parseArgs({
  options: {
    row: { type: 'string', multiple: true, default: [] },
    limit: { type: 'string', multiple: true, default: ['128', '100'] },
    rounds: { type: 'string', default: '2' },
    patience: { type: 'string', default: '90' },
    deadline: { type: 'string', default: '120' },
    flags: { type: 'string', default: '' },
    tunables: { type: 'string', default: IMAGE_TUNABLES },
    json: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const wanted = values.row.flatMap((text) => {
    const known = ROW.test(text) ? [] : ROWS.filter((row) => row.includes(text));
    return known.length > 0 ? known : [text];
  });
  const rows = (wanted.length > 0 ? wanted : ROWS).map(parseRow);
  const limits = values.limit.map((text) => (text === 'none' ? undefined : Number(text)));
  const [rounds, patienceMs] = [Number(values.rounds), Number(values.patience) * 1000];
  const deadlineMs = Number(values.deadline) * 1000;
  const { tunables } = values;
  const how = {
    rounds,
    patienceMs,
    deadlineMs,
    tunables,
    flags: values.flags.split(' ').filter((flag) => flag !== ''),
  };
  const results: StormResult[] = [];
  for (const row of rows) {
    for (const limit of limits) {
      const result = await run(row, limit, how);
      results.push(result);
      print(result);
    }
  }
  if (values.json !== '') writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  process.exitCode = results.every(({ good }) => good) ? 0 : 1;
}

// Nothing that it has started outlives it.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));
await main();
