import type { Implementation } from '../implementations.ts';
import { type Bench, median, ms, ownProviders, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { CONFIG, CONFIG_KEYS, type Pod, podOf, secrets } from '../world.ts';

const TEMPLATE_OBJECTS = 50;

/** A volume with parts or templates, next to one with plain files that needs the same reads. */
interface Case {
  readonly name: string;
  readonly reads: number;
  readonly own: Pod;
  readonly plain: Pod;
}

const pod = podOf(0, 0, []);
const config = [{ name: CONFIG, type: 'secret' }] as const;
const keys = range(CONFIG_KEYS).map((i) => `key${i}`);
const templated = secrets(TEMPLATE_OBJECTS).map(({ name }) => ({
  objectName: name,
  objectType: 'secret',
  templateOnly: 'true',
}));
const CASES: readonly Case[] = [
  {
    name: `${CONFIG_KEYS} files extracted from one secret`,
    reads: 1,
    own: {
      ...pod,
      volume: {
        parameters: {
          objects: JSON.stringify({
            array: [
              {
                objectName: CONFIG,
                objectType: 'secret',
                extract: Object.fromEntries(keys.map((key) => [key, `${key}.value`])),
              },
            ],
          }),
        },
        files: CONFIG_KEYS,
      },
    },
    plain: podOf(0, 0, config),
  },
  {
    name: `a template of ${TEMPLATE_OBJECTS} objects`,
    reads: TEMPLATE_OBJECTS,
    own: {
      ...pod,
      volume: {
        parameters: {
          objects: JSON.stringify({ array: templated }),
          templates: 'app.yaml: |\n  {{#objects}}\n  {{ name }}: {{ value | yaml }}\n  {{/objects}}\n',
        },
        files: 1,
      },
    },
    plain: podOf(0, 0, secrets(TEMPLATE_OBJECTS)),
  },
];

/** Measures volumes with `extract` and `templates`: the first Mount, and repeated ones next to those of plain files. */
export const parts: Scenario = {
  name: 'parts',
  async run(bench) {
    const rows: Row[] = [];
    for (const one of CASES) {
      for (const implementation of ownProviders(bench)) rows.push(await measure(bench, implementation, one));
    }
    return rows;
  },
};

async function measure(bench: Bench, implementation: Implementation, { name, reads, own, plain }: Case): Promise<Row> {
  const repetitions = bench.quick ? 10 : 50;
  const { value, counts, usage, loop } = await withFresh(
    bench,
    { implementation, watchLoop: true },
    async ({ mount }) => {
      const coldMs = await timed(() => mount(own));
      await mount(plain);
      const [ownMs, plainMs]: [number[], number[]] = [[], []];
      for (const _ of range(repetitions)) {
        ownMs.push(await timed(() => mount(own)));
        plainMs.push(await timed(() => mount(plain)));
      }
      return { coldMs, warmMs: median(ownMs), plainMs: median(plainMs) };
    },
  );
  const { coldMs, warmMs, plainMs } = value;
  return {
    scenario: name,
    implementation: implementation.name,
    result: `${ms(coldMs)} cold; ${ms(warmMs)} warm, ${(warmMs / plainMs).toFixed(2)} of plain files`,
    counts,
    usage,
    loop,
    targets: [{ text: `${reads} reads, those of plain files`, met: counts.reads === reads }],
    details: value,
  };
}
