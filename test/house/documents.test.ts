/** Compares the tables of the documents with the code, in both directions: a page lists each name, and no other. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { SPAN_ATTRIBUTES, SPAN_EVENTS, SPAN_NAMES } from '../../src/base/trace.ts';
import { checkCommand } from '../../src/cli/check.ts';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { serveHelp } from '../../src/cli/serve-flags.ts';
import { WEBHOOK_FLAGS } from '../../src/cli/webhook-flags.ts';
import { OUTPUT_KINDS, traitsOf } from '../../src/pki/outputs.ts';
import { createMetrics } from '../../src/server/metrics.ts';
import { STATUS_OF } from '../../src/server/status.ts';
import { ENTRY_FIELDS } from '../../src/spc/extract.ts';
import { DEVELOPER_LOGINS } from '../../src/spc/identities/developer.ts';
import { KEY_VAULT_FIELDS, REFERENCE_FIELDS } from '../../src/spc/key-vault-field.ts';
import { OBJECT_FIELDS } from '../../src/spc/object.ts';
import { OUTPUT_FIELDS } from '../../src/spc/outputs.ts';
import { GUARDED_NAMES } from '../../src/spc/overrides.ts';
import { ALL_NAMES, CLASSIC_NAMES, KEY_VAULT_NAMES } from '../../src/spc/parameter-names.ts';
import { TEMPLATE_FIELDS } from '../../src/spc/templates.ts';
import { CREDENTIAL_KINDS, VAULT_FIELDS } from '../../src/spc/vault-field.ts';
import { SAMPLERS, TRACE_VARIABLES } from '../../src/tracing/settings.ts';
import { createWebhookMetrics } from '../../src/webhook/metrics.ts';
import {
  codeBlocks,
  firstColumn,
  links,
  markdownFiles,
  projectFiles,
  root,
  section,
  tableRows,
  textOf,
} from '../support/markdown.ts';

const exposition = () =>
  createMetrics({
    version: '1.2.3',
    objectNames: true,
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
    log: silentLogger,
  }).text();

describe('parameters.md', () => {
  it.each<[string, string, readonly string[]]>([
    ['parameters of the classic form', 'Parameters of the classic form', CLASSIC_NAMES],
    ['fields of an object', 'Fields of an object in `objects`', OBJECT_FIELDS],
    ['parameters of the keyVault form', 'Parameters next to `keyVault`', KEY_VAULT_NAMES],
    ['fields of keyVault', 'Fields of `keyVault`', KEY_VAULT_FIELDS],
    ['fields of vault', 'Fields of `vault`', VAULT_FIELDS],
    ['fields of credentials', 'Fields of `credentials`', CREDENTIAL_KINDS],
    ['fields of an object of keyVault', 'Fields of each object', REFERENCE_FIELDS],
  ])('lists the %s', (_, heading, known) => {
    expect(firstColumn(section('docs/parameters.md', heading)).toSorted()).toEqual([...known].toSorted());
  });
});

it.each([
  ['extract.md', 'Fields of an entry', ENTRY_FIELDS],
  ['templates.md', 'Fields of a template', TEMPLATE_FIELDS],
])('%s lists the %s', (page, heading, known) => {
  expect(firstColumn(section(`docs/${page}`, heading)).toSorted()).toEqual(known.toSorted());
});

describe('certificate-files.md', () => {
  const page = 'docs/certificate-files.md';

  it('lists the outputs in the order of the code', () => {
    expect(firstColumn(section(page, 'Outputs'))).toEqual(OUTPUT_KINDS);
  });

  it('lists the fields of an output', () => {
    expect(firstColumn(section(page, 'Fields of an output')).toSorted()).toEqual([...OUTPUT_FIELDS].toSorted());
  });

  it.each(OUTPUT_KINDS)('lists the extra fields of %s', (kind) => {
    const { takesKeyFormat, takesPassword, takesProfile, mayBeOptional } = traitsOf(kind);
    const fields = [
      ...(takesKeyFormat ? ['keyFormat'] : []),
      ...(takesProfile ? ['format'] : []),
      ...(takesPassword ? ['passwordFrom'] : []),
      ...(mayBeOptional ? ['optional'] : []),
    ];
    const row = tableRows(section(page, 'Outputs')).find(([first]) => first === `\`${kind}\``);
    expect(row?.[2]).toBe(fields.map((field) => `\`${field}\``).join(', '));
  });
});

describe('flags.md', () => {
  const rows = tableRows(section('docs/flags.md', 'Flags of `serve`'));

  it('lists the flags of serve', () => {
    const listed = firstColumn(section('docs/flags.md', 'Flags of `serve`'));
    expect(listed.toSorted()).toEqual(SERVE_FLAGS.map(({ name }) => `--${name}`).toSorted());
  });

  it.each(SERVE_FLAGS.map(({ name, fallback }) => [name, fallback]))('gives the default of --%s', (name, fallback) => {
    const row = rows.find(([first]) => first === `\`--${name}\``);
    expect(row?.[1]).toBe(fallback === '' ? 'empty' : `\`${fallback}\``);
    // The whole word must match: --version does not contain --v.
    expect(serveHelp()).toMatch(new RegExp(`--${name}(?![-\\w])`));
  });

  it('lists the environment variables of the help', () => {
    const [, told = ''] = serveHelp().split('Environment:');
    const named = [...told.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name);
    expect(firstColumn(section('docs/flags.md', 'Environment')).toSorted()).toEqual(named.toSorted());
  });
});

describe('webhook.md', () => {
  const rows = tableRows(section('docs/webhook.md', 'Flags'));

  it('lists the flags of webhook with their defaults', () => {
    const known = WEBHOOK_FLAGS.map(({ name, alias, fallback }) => [
      `\`--${name}\`${alias === undefined ? '' : `, \`-${alias}\``}`,
      fallback === '' ? 'empty' : `\`${fallback}\``,
    ]);
    expect(rows.map(([name, fallback]) => [name, fallback]).toSorted()).toEqual(known.toSorted());
  });

  it('lists its metrics, each with its type', async () => {
    const period = { notBefore: 0, notAfter: 0 };
    const metrics = createWebhookMetrics(['/validate'], {
      version: '1.2.3',
      inFlight: () => 0,
      periods: () => ({ serving: period, authority: period }),
      logLinesDropped: () => 0,
    });
    const known = [...(await metrics.text()).matchAll(/^# TYPE (\w+) (\w+)/gm)].map(([, name, type]) => [
      `\`${name}\``,
      type,
    ]);
    const listed = tableRows(section('docs/webhook.md', 'Metrics')).map(([name, type]) => [name, type]);
    expect(listed.toSorted()).toEqual(known.toSorted());
  });
});

test('errors.md lists the error codes, each with its gRPC code', () => {
  const rows = tableRows(section('docs/errors.md', 'Error codes')).map(([code, grpc]) => [code, grpc]);
  const known = Object.entries(STATUS_OF).map(([code, grpc]) => [`\`${code}\``, `\`${status[grpc]}\``]);
  expect(rows.toSorted()).toEqual(known.toSorted());
});

test('metrics.md lists the metrics, each with its type', async () => {
  const known = [...(await exposition()).matchAll(/^# TYPE (\w+) (\w+)/gm)].map(([, name, type]) => [
    `\`${name}\``,
    type,
  ]);
  const rows = tableRows(textOf('docs/metrics.md')).map(([name, type]) => [name, type]);
  expect(rows.toSorted()).toEqual(known.toSorted());
});

describe('traces.md', () => {
  it('lists the spans', () => {
    const listed = firstColumn(section('docs/traces.md', 'Spans'));
    expect(listed.filter((name) => !['GET', 'POST'].includes(name)).toSorted()).toEqual([...SPAN_NAMES].toSorted());
  });

  it('lists the attributes', () => {
    expect(firstColumn(section('docs/traces.md', 'Attributes')).toSorted()).toEqual([...SPAN_ATTRIBUTES].toSorted());
  });

  it('names the events and the samplers', () => {
    const text = textOf('docs/traces.md');
    for (const name of [...SPAN_EVENTS, ...SAMPLERS]) expect(text).toContain(`\`${name}\``);
  });

  it('lists the variables', () => {
    expect(firstColumn(section('docs/traces.md', 'Variables')).toSorted()).toEqual([...TRACE_VARIABLES].toSorted());
  });
});

test('identity-modes.md lists the identities that metrics name', async () => {
  const known = [...(await exposition()).matchAll(/^akv_csi_token_requests_total\{identity="([^"]+)"/gm)];
  const names = new Set(known.map(([, name = '']) => name));
  expect(names.size).toBeGreaterThan(0);
  expect(firstColumn(section('docs/identity-modes.md', 'Identity modes')).toSorted()).toEqual([...names].toSorted());
});

test('identity-modes.md says of each parameter whether a pod may change it', () => {
  const rows = tableRows(section('docs/identity-modes.md', 'What a pod may override'));
  const named = rows.flatMap(([names = '', own, node]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => [name, own, node?.split(':')[0]]),
  );
  const known = [...new Set(ALL_NAMES)].map((name) => [
    name,
    'allowed',
    GUARDED_NAMES.includes(name) ? 'refused' : 'allowed',
  ]);
  expect(named.toSorted()).toEqual(known.toSorted());
});

describe('check.md', () => {
  it('lists the logins', () => {
    const listed = firstColumn(section('docs/check.md', 'With a login of your own'));
    expect(listed.toSorted()).toEqual(Object.keys(DEVELOPER_LOGINS).toSorted());
  });

  it('uses options of check that exist, in commands and in its table', () => {
    const { options } = checkCommand({ directMount: () => Promise.reject(new Error('not asked for')) });
    const blocks = [...codeBlocks(textOf('docs/check.md'), 'yaml'), ...codeBlocks(textOf('docs/check.md'), 'sh')];
    const lines = blocks.flatMap((block) => block.split('\n')).filter((line) => /akv-csi(@\S+)? check/.test(line));
    const used = lines.flatMap((line) =>
      [...line.replace(/^.*?akv-csi\S* check/, '').matchAll(/--[a-z-]+/g)].map(([name]) => name),
    );
    expect(used.length).toBeGreaterThan(3);
    const tabled = firstColumn(textOf('docs/check.md')).flatMap((text) => text.match(/^--[a-z-]+/)?.[0] ?? []);
    const known = options.map(({ long }) => long);
    expect([...used, ...tabled].filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('README.md', () => {
  it('has at most 150 lines', () => {
    expect(textOf('README.md').split('\n').length - 1).toBeLessThanOrEqual(150);
  });
});

describe('docs/commands.md', () => {
  it('lists the commands of the program', () => {
    const help = execFileSync('node', [join(root, 'dist/main.js'), '--help'], { encoding: 'utf8' });
    const [, told = ''] = help.split('Commands:\n');
    const known = [...told.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name).filter((name) => name !== 'help');
    const listed = firstColumn(textOf('docs/commands.md')).map((text) => text.split(' ')[1]);
    expect(listed).toEqual(known);
  });
});

describe('docs/README.md', () => {
  it('lists the pages of docs/', () => {
    const pages = markdownFiles()
      .filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== 'docs/README.md')
      .map((path) => path.slice('docs/'.length));
    const listed = links('docs/README.md').filter((target) => !target.includes('/'));
    expect(listed.toSorted()).toEqual(pages.toSorted());
  });
});

describe('decisions', () => {
  const folder = 'docs/decisions/';
  const pages = markdownFiles()
    .filter((path) => path.startsWith(folder) && path !== `${folder}README.md`)
    .map((path) => path.slice(folder.length))
    .toSorted();

  it('are numbered without gaps', () => {
    const numbers = pages.map((page) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1]);
    expect(numbers).toEqual(pages.map((_, index) => String(index + 1).padStart(4, '0')));
  });

  it('are in the index, by number and title', () => {
    const rows = tableRows(textOf(`${folder}README.md`));
    const titled = pages.map((page) => {
      const number = page.slice(0, 4);
      const [, title] = new RegExp(`^# ${number}\\. (.+)$`, 'm').exec(textOf(folder + page)) ?? [];
      return [`[${number}](${page})`, title];
    });
    expect(rows).toEqual(titled);
  });

  it.each(pages)('%s has the five parts, and a date', (page) => {
    const text = textOf(folder + page);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
      'Context',
      'Decision',
      'Alternatives',
      'Figure and date',
      'What would change it',
    ]);
    expect(section(folder + page, 'Figure and date')).toMatch(/^Decided \d{4}-\d\d-\d\d\./m);
  });
});

test('ARCHITECTURE.md has 120 lines at most, and an entry for each room', () => {
  expect(textOf('ARCHITECTURE.md').split('\n').length - 1).toBeLessThanOrEqual(120);
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${name}/`);
  expect(firstColumn(section('ARCHITECTURE.md', 'Where to begin')).toSorted()).toEqual(rooms.toSorted());
});

describe.each(markdownFiles())('links of %s', (page) => {
  it('lead to files that exist, and to headings that they have', () => {
    const broken = links(page).filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe.each(markdownFiles())('paths in %s', (page) => {
  it('are those of files or folders that exist', () => {
    // Patterns and placeholders, such as `test/e2e/parity-*.test.ts`, are not paths.
    const named = [...textOf(page).matchAll(/`((?:src|test|docs|charts|scripts|examples)\/[\w./-]*)`/g)];
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('.github', () => {
  it('runs what CONTRIBUTING.md says', () => {
    const workflow = parse(textOf('.github/workflows/ci.yml')) as { jobs: { ci: { steps: { run?: string }[] } } };
    expect(workflow.jobs.ci.steps.map(({ run }) => run)).toContain('bash .ci/run');
    expect(textOf('CONTRIBUTING.md')).toContain('`bash .ci/run`');
  });

  it('updates every Go module', () => {
    const { updates } = parse(textOf('.github/dependabot.yml')) as {
      updates: { 'package-ecosystem': string; directories?: string[] }[];
    };
    const modules = projectFiles('**/go.mod').map((path) => `/${dirname(path)}`);
    const gomod = updates.find((update) => update['package-ecosystem'] === 'gomod');
    expect(gomod?.directories?.toSorted()).toEqual(modules.toSorted());
  });
});

/** Returns the anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): readonly string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
