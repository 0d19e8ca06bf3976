// Publishers: pods that come and go without end, each volume looked into. restarts.ci.test.ts and kills.ci.test.ts run
// them while providers end and start.
import { isDeepStrictEqual } from 'node:util';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { classicParameters } from './classic.ts';
import type { Failure } from './kubelet.ts';
import type { Node } from './node.ts';
import { until } from './wait.ts';

/** What publishers have seen. */
export interface Load {
  /** Volumes that were published and looked into. */
  published(): number;
  /** Publishes that were not OK at once. */
  readonly failures: readonly Failure[];
  /** Volumes that were said to be published and are not: what is there instead. */
  readonly wrong: readonly string[];
  /** Waits until every publisher has published so many volumes more. */
  progress(volumes: number): Promise<void>;
  /** Ends the load, and waits for it. Rejects where a publisher gave up. */
  stop(): Promise<void>;
}

/** Publishers that work side by side. */
const PUBLISHERS = 4;
const CLASS = 'load';
const OBJECTS = 6;
const OBJECT_BYTES = 2000;

/** Puts what the load mounts into vault and API server, and has it mounted once. */
export async function prepareLoad(node: Node): Promise<void> {
  const files = Object.entries(loadFiles());
  for (const [name, value] of files) node.emulator.setSecret(VAULT, name, value);
  const items = files.map(([objectName]) => ({ objectName, objectType: 'secret' }));
  node.addClass(CLASS, { parameters: classicParameters(items) });
  await node.kubelet.mount(node.addPod({ name: 'first', secretProviderClass: CLASS }));
}

function loadFiles(): Record<string, string> {
  const names = Array.from({ length: OBJECTS }, (_, i) => `load-${i}`);
  return Object.fromEntries(names.map((name) => [name, `${name} `.repeat(OBJECT_BYTES / (name.length + 1))]));
}

function startLoad(node: Node): Load {
  const files = loadFiles();
  const counts = Array.from({ length: PUBLISHERS }, () => 0);
  const failures: Failure[] = [];
  const wrong: string[] = [];
  let going = true;
  const publishOne = async (name: string) => {
    const volume = node.addPod({ name, secretProviderClass: CLASS });
    const before = await node.kubelet.mount(volume);
    failures.push(...before);
    const { filesystem, files: found } = node.look(volume);
    const texts = Object.fromEntries(Object.entries(found).map(([path, { contents }]) => [path, contents.toString()]));
    if (filesystem !== 'tmpfs' || !isDeepStrictEqual(texts, files)) {
      const codes = before.map(({ code, message }) => `${code}: ${message}`);
      wrong.push(`${name}: ${filesystem} with [${Object.keys(found)}], after ${JSON.stringify(codes)}`);
    }
    await node.kubelet.unmount(volume);
    node.deletePod(volume);
  };
  const run = async (publisher: number) => {
    while (going) {
      const number = counts[publisher] ?? 0;
      await publishOne(`load-${publisher}-${number}`);
      counts[publisher] = number + 1;
    }
  };
  let broken: unknown;
  const runs = counts.map((_, publisher) =>
    run(publisher).catch((error: unknown) => {
      broken ??= error;
    }),
  );
  return {
    published: () => counts.reduce((sum, count) => sum + count, 0),
    failures,
    wrong,
    async progress(volumes) {
      const goals = counts.map((count) => count + volumes);
      await until(`each publisher has published ${volumes} volumes more`, () => {
        if (broken !== undefined) throw broken;
        return goals.every((goal, publisher) => (counts[publisher] ?? 0) >= goal) ? true : undefined;
      });
    },
    async stop() {
      going = false;
      await Promise.all(runs);
      if (broken !== undefined) throw broken;
    },
  };
}

/** Volumes of each publisher between two changes, so that no call is caught by more than one: the driver makes three. */
const BETWEEN = 2;

/** Has `change` happen so many times under load, and gives what the publishers have seen. */
export async function underLoad(node: Node, times: number, change: () => Promise<void>): Promise<Load> {
  const load = startLoad(node);
  try {
    for (let round = 0; round < times; round++) {
      await load.progress(BETWEEN);
      await change();
    }
    await load.progress(BETWEEN);
  } finally {
    await load.stop();
  }
  return load;
}
