import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const { version, description, license } = JSON.parse(read('package.json')) as Record<string, string>;

/** The instructions of the Dockerfile, split into words, by stage. */
const stages = read('Dockerfile')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' '))
  .reduce<string[][][]>((all, words) => {
    if (words[0] === 'FROM') all.push([]);
    all.at(-1)?.push(words);
    return all;
  }, []);
const [runtime = [], build = [], image = []] = stages;
const all = (stage: string[][], instruction: string) =>
  stage.filter(([name]) => name === instruction).map(([, ...words]) => words);

describe('version', () => {
  test('is one number in package.json, its lock file, the chart and the image', () => {
    const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: { '': { version: string } } };
    const chart = parse(read('charts/akv-csi-provider/Chart.yaml')) as { version: string; appVersion: string };
    const label = all(image, 'LABEL').find(([text]) => text?.startsWith('org.opencontainers.image.version='));
    expect({
      lock: [lock.version, lock.packages[''].version],
      chart: [chart.version, chart.appVersion],
      image: label,
    }).toEqual({
      lock: [version, version],
      chart: [version, version],
      image: [`org.opencontainers.image.version="${version}"`],
    });
  });
});

describe('image', () => {
  test('says what it is in the words of package.json', () => {
    const labels = all(image, 'LABEL').map((words) => words.join(' '));
    expect(labels).toContain(`org.opencontainers.image.description="${description}"`);
    expect(labels).toContain(`org.opencontainers.image.licenses="${license}"`);
  });

  test('holds dist/ and nothing else, without emulator and demo', () => {
    expect(all(image, 'COPY')).toEqual([['--from=build', '/src/dist', '/app']]);
    expect(all(image, 'RUN')).toEqual([]);
    expect(all(image, 'ADD')).toEqual([]);
    expect(all(build, 'RUN').at(-1)?.join(' ')).toBe(
      'npm run build && ls dist/memory.node dist/start-*.cache && rm dist/lab.js',
    );
  });

  test('is built from files that exist and that the build context lets in', () => {
    const [everything, ...allowed] = read('.dockerignore').trim().split('\n');
    const sources = all(build, 'COPY')
      .filter(([first]) => !first?.startsWith('--from='))
      .flatMap((words) => words.slice(0, -1));
    expect(everything).toBe('*');
    expect(allowed.toSorted()).toEqual(sources.map((source) => `!${source}`).toSorted());
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
  });

  test('is distroless, and starts the daemon with no flag that would spoil its code cache', () => {
    expect(runtime[0]?.[1]).toMatch(/^gcr\.io\/distroless\/nodejs24-debian13:/);
    expect(all(image, 'FROM')).toEqual([['runtime']]);
    expect(JSON.parse(all(image, 'ENTRYPOINT')[0]?.join(' ') ?? '')).toEqual([
      '/nodejs/bin/node',
      '/app/main.js',
      'serve',
    ]);
  });

  test('and the workflows name bases and actions by digest, since tags are moved', () => {
    const workflows = ['ci', 'release'].map((name) => read(`.github/workflows/${name}.yml`)).join('');
    const actions = [...workflows.matchAll(/ uses: (.*)/g)].map(([, action]) => action);
    expect(actions.length).toBeGreaterThan(5);
    for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const images = [...workflows.matchAll(/ image: ([^$\s]+)/g)].map(([, image]) => image);
    const bases = [runtime, build].map((stage) => all(stage, 'FROM')[0]?.[0]);
    for (const name of [...images, ...bases]) expect(name).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  test("keeps node where the chart's init container calls it", () => {
    expect(read('charts/akv-csi-provider/templates/daemonset.yaml')).toContain('- /nodejs/bin/node\n');
  });
});
