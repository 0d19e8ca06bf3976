// Publishes volumes of pods continuously and checks each one. restarts.ci.test.ts and kills.ci.test.ts run it while
// providers end and start.
import { isDeepStrictEqual } from 'node:util';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { classicParameters } from './classic.ts';
import type { Failure } from './kubelet.ts';
import type { Node } from './node.ts';
import { until } from './wait.ts';

/** The results of publishers. */
export interface Load {
  /** Returns the number of volumes that were published and checked. */
  published(): number;
  /** Publishes that failed at first. */
  readonly failures: readonly Failure[];
  /** Descriptions of volumes that were reported as published but have other contents. */
  readonly wrong: readonly string[];
  /** Waits until every publisher has published this number of volumes more. */
  progress(volumes: number): Promise<void>;
  /** Ends the load and waits for its end. Rejects if a publisher failed. */
  stop(): Promise<void>;
}

/** The number of publishers that run in parallel. */
const PUBLISHERS = 4;
const CLASS = 'load';
const OBJECTS = 6;
const OBJECT_BYTES = 2000;

/** Adds the objects of the load to the vault and the API server, and mounts them once. */
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

/**
 * Volumes of each publisher between two changes, so that at most one change affects a call. The driver tries a call
 * three times.
 */
const BETWEEN = 2;

/** Runs `change` this number of times under load. Returns the results of the publishers. */
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
