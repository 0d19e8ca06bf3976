import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { describeFlags, type FlagSpec, parseGoFlags } from '../../src/cli/go-flags.ts';

const KNOWN: readonly FlagSpec[] = [
  { name: 'endpoint', kind: 'text', fallback: 'unix:///x', help: 'where to listen' },
  { name: 'v', kind: 'count', fallback: '0', help: 'log level' },
  { name: 'json', alias: 'j', kind: 'boolean', fallback: 'false', help: 'as JSON' },
  { name: 'chain', kind: 'boolean', fallback: 'true', help: 'order' },
  { name: 'port', kind: 'port', fallback: '8898', help: 'port' },
  { name: 'timeout', kind: 'duration', fallback: '5s', help: 'bound' },
  { name: 'empty', kind: 'text', fallback: '', help: 'nothing' },
];
const MEANINGLESS: readonly FlagSpec[] = [
  { name: 'logtostderr', kind: 'boolean', fallback: 'false', help: '' },
  { name: 'vmodule', kind: 'text', fallback: '', help: '' },
];

function parse(...args: readonly string[]) {
  const { values, ignored } = parseGoFlags(args, KNOWN, { meaningless: MEANINGLESS });
  return { ...Object.fromEntries(values), ignored };
}

const FALLBACKS = {
  endpoint: 'unix:///x',
  v: 0,
  json: false,
  chain: true,
  port: 8898,
  timeout: 5000,
  empty: '',
  ignored: [],
};

describe('flags in Go’s syntax', () => {
  it('have defaults', () => expect(parse()).toEqual(FALLBACKS));

  it.each([
    [['-v', '5'], { v: 5 }],
    [['-v=5'], { v: 5 }],
    [['--v=5'], { v: 5 }],
    [['--v', '5'], { v: 5 }],
    [['-endpoint', 'tcp://a'], { endpoint: 'tcp://a' }],
    [['--endpoint=a=b'], { endpoint: 'a=b' }],
    [['--endpoint='], { endpoint: '' }],
    [['--endpoint', '--json'], { endpoint: '--json' }],
    [['--endpoint=a', '--endpoint=b'], { endpoint: 'b' }],
    [['--json'], { json: true }],
    [['-json'], { json: true }],
    [['-j'], { json: true }],
    [['--j=0'], { json: false }],
    [['--chain=false'], { chain: false }],
    [['-chain=F'], { chain: false }],
    [['--port=0'], { port: 0 }],
    [['--port', '65535'], { port: 65535 }],
    [['--timeout=1h2m3.5s'], { timeout: 3_723_500 }],
    [['--timeout=500ms'], { timeout: 500 }],
    [['--timeout=.5s'], { timeout: 500 }],
    [['--timeout=1000us'], { timeout: 1 }],
    [['--timeout=1000µs'], { timeout: 1 }],
    [['--timeout=0'], { timeout: 0 }],
    [['--timeout=596h'], { timeout: 2_145_600_000 }],
    [['--logtostderr', '--vmodule', 'a=1', '-vmodule=b'], { ignored: ['logtostderr', 'vmodule'] }],
    [['--logtostderr=whatever'], { ignored: ['logtostderr'] }],
  ])('%j', (args, changes) => expect(parse(...args)).toEqual({ ...FALLBACKS, ...changes }));

  it.each([
    [['--enpoint=x'], 'unknown flag --enpoint; did you mean --endpoint?'],
    [['--frobnicate'], 'unknown flag --frobnicate; "akv-csi serve --help" lists the flags'],
    [['--endpoint'], 'flag --endpoint needs a value: any text'],
    [['-v'], 'flag --v needs a value: a whole number from 0'],
    [['-v=high'], 'invalid value "high" for flag --v: it must be a whole number from 0'],
    [['-v=-1'], 'invalid value "-1" for flag --v'],
    [['--json=maybe'], 'invalid value "maybe" for flag --json: it must be true or false'],
    [['--json='], 'invalid value "" for flag --json'],
    [['--chain', 'false'], 'unexpected argument "false"; write --chain=false'],
    [['--json', 'true'], 'unexpected argument "true"; write --json=true'],
    [['--json=true', 'x'], 'unexpected argument "x"; serve takes flags only'],
    [['--port=65536'], 'invalid value "65536" for flag --port: it must be a port from 0 to 65535'],
    [['--port=http'], 'invalid value "http" for flag --port'],
    [['--timeout=5'], 'invalid value "5" for flag --timeout: it must be a duration such as 500ms'],
    [['--timeout=-5s'], 'invalid value "-5s" for flag --timeout'],
    [['--timeout=5 s'], 'invalid value "5 s" for flag --timeout'],
    [
      ['--timeout=597h'],
      'invalid value "597h" for flag --timeout: it must be a duration such as 500ms, 30s, 2m or 1h, at most 596h',
    ],
    [['--timeout=s'], 'invalid value "s" for flag --timeout'],
    [['--v=1\n2'], 'invalid value "1\\n2" for flag --v'],
    [['run'], 'unexpected argument "run"; serve takes flags only'],
    [[''], 'unexpected argument ""'],
    [['-'], 'unexpected argument "-"'],
    [['--'], 'unexpected argument "--"'],
    [['---v=5'], 'unexpected argument "---v=5"'],
    [['--=5'], 'unexpected argument "--=5"'],
  ])('%j is refused in one line', (args, message) => {
    const attempt = () => parse(...args);
    expect(attempt).toThrow(ProviderError);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/\n/);
  });

  it('are described in a table', () => {
    expect(describeFlags(KNOWN).split('\n')).toEqual([
      '  --endpoint <text>     where to listen (default unix:///x)',
      '  --v <count>           log level (default 0)',
      '  --json, --j           as JSON (default false)',
      '  --chain               order (default true)',
      '  --port <port>         port (default 8898)',
      '  --timeout <duration>  bound (default 5s)',
      '  --empty <text>        nothing',
    ]);
  });
});
