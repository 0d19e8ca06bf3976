// Publishers: pods that come and go without end, each volume looked into. restarts.ci.test.ts runs them while providers
// end and start.
import { isDeepStrictEqual } from 'node:util';
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

/** What is published. */
export interface LoadOptions {
  readonly publishers: number;
  readonly secretProviderClass: string;
  /** The files of the volume, as texts. */
  readonly files: Readonly<Record<string, string>>;
}

/** Starts them. */
export function startLoad(node: Node, { publishers, secretProviderClass, files }: LoadOptions): Load {
  const counts = Array.from({ length: publishers }, () => 0);
  const failures: Failure[] = [];
  const wrong: string[] = [];
  let going = true;
  const publishOne = async (name: string) => {
    const volume = node.addPod({ name, secretProviderClass });
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
