/**
 * The parsers of bytes from outside: of the driver, of manifests, of Key Vault, of Entra ID, of issuers and of files.
 */
import { createSecretKey, randomBytes } from 'node:crypto';
import { createHttpHeaders } from '@azure/core-rest-pipeline';
import listener from '../../examples/broker-listener.yaml?raw';
import bridge from '../../examples/mqtt-bridge-connector.yaml?raw';
import { AnswerReader } from '../../src/azure/http/answer-reader.ts';
import { retryAfter } from '../../src/azure/http/retry-after.ts';
import { UnusableDocument } from '../../src/azure/login/jwks.ts';
import { fetchIssuerKeys } from '../../src/azure/login/openid-documents.ts';
import { claimsProblem, keyOf, readSignedToken } from '../../src/azure/login/signed-token.ts';
import { seal, Unsealable, unseal } from '../../src/azure/store/seal.ts';
import { sealingKey } from '../../src/azure/store/sealing-key.ts';
import { readEntryHead, readIndex } from '../../src/azure/store/store-index.ts';
import { BadAnswer } from '../../src/azure/vault/bad-answer.ts';
import { Challenge, refuseChallenges } from '../../src/azure/vault/challenge.ts';
import { VaultClient } from '../../src/azure/vault/vault-client.ts';
import { fetchedFromWire, listedFromWire, objectsFromWire } from '../../src/azure/vault/vault-json.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { isJsonObject } from '../../src/base/json.ts';
import { Secret } from '../../src/base/secret.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { causeOfLine } from '../../src/kubectl/causes.ts';
import { classStatuses } from '../../src/kubectl/class-status.ts';
import { fieldsOf } from '../../src/kubectl/log-lines.ts';
import { parseMetrics } from '../../src/kubectl/metrics.ts';
import { plainDataOf, textOf } from '../../src/mount/convert/plain-data.ts';
import type { ObjectRef } from '../../src/mount/ports.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { inspectBundle } from '../../src/pki/inspect.ts';
import { parseTasks } from '../../src/render/into/watch-items.ts';
import { render } from '../../src/render/render.ts';
import { authorityPin } from '../../src/server/authority.ts';
import { FrameWalk } from '../../src/server/frames.ts';
import { parseAttributes, parseNodePublishSecret, parsePermission } from '../../src/spc/attributes.ts';
import { checkManifests } from '../../src/spc/check.ts';
import { resolveCloud } from '../../src/spc/cloud.ts';
import { readExpression } from '../../src/spc/expression.ts';
import { withLanguages } from '../../src/spc/languages.ts';
import { findToken, tokensIn } from '../../src/spc/tokens.ts';
import { readContent } from '../../src/spc/yaml/content.ts';
import { csiDriverProvider, type MountRequest } from '../../src/wire/contract.ts';
import { callBlock, flag, frame, message, opening, type } from '../support/http2.ts';
import { issue, keyPem, newKey } from '../support/pki.ts';
import { plainPfx } from '../support/plain-pfx.ts';
import { DEFAULTS, NO_CLOUD_FILE, NOW, OBJECTS, POD, read, TENANT } from '../support/spc.ts';
import type { Target } from './fuzz.ts';
import { webhookTargets } from './webhook-targets.ts';

const TOKEN_AUDIENCE = 'api://AzureADTokenExchange';
const VAULT_URL = 'https://kv.vault.azure.net';
const SECRET: ObjectRef = { type: 'secret', name: 'a', version: '' };
const JSON_WORDS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  'null',
  '1e999',
  '-0',
  '"__proto__"',
  '\\u0000',
  '\\ud800',
  '{"a":',
];
const YAML_WORDS = [
  '- |\n',
  '  ',
  '&a ',
  '*a',
  '<<: *a',
  '!!binary ',
  '---\n',
  '...\n',
  '? ',
  '"\\x',
  '[',
  '{',
  '# ',
  '|-\n',
  '>\n',
  '\t',
  '%YAML 1.1\n',
  '\u2028',
];
const PEM_WORDS = [
  '-----BEGIN CERTIFICATE-----\n',
  '-----END CERTIFICATE-----\n',
  '-----BEGIN PRIVATE KEY-----\n',
  'Proc-Type: 4,ENCRYPTED\n',
  'MII',
  '=',
  '\\n',
  '\u0030\u0082',
];

const bytes = (...texts: readonly string[]) => texts.map((text) => Buffer.from(text));
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
/** Turns a parser of text into one of bytes. */
const ofText = (parse: (text: string) => unknown) => (input: Buffer) => parse(input.toString('utf8'));
/** Parses JSON as the SDK does; what is not JSON never reaches the parser behind it. */
const ofJson = (parse: (value: unknown) => unknown) => (input: Buffer) => {
  let value: unknown;
  try {
    value = JSON.parse(input.toString('utf8'));
  } catch {
    return 'not JSON';
  }
  return parse(value);
};

/** Parsers of what the driver sends. */
function driverTargets(): readonly Target[] {
  const { Mount } = csiDriverProvider;
  const tokens = JSON.stringify({ [TOKEN_AUDIENCE]: { token: 'a.b.c', expirationTimestamp: '2026-01-01T01:00:00Z' } });
  const attributes = { ...POD, keyvaultName: 'kv', tenantID: TENANT, objects: OBJECTS };
  const request: MountRequest = {
    attributes: JSON.stringify(attributes),
    secrets: '{"clientid":"a","clientsecret":"b"}',
    targetPath: '/var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/v/mount',
    permission: '420',
    currentObjectVersion: [{ id: 'secret/a', version: '1' }],
  };
  const call = Buffer.concat([
    opening,
    frame(type.headers, flag.endHeaders, 1, callBlock('Mount', Buffer.of(0xbe))),
    message(1),
  ]);
  return [
    {
      name: 'MountRequest',
      samples: [Mount.requestSerialize(request)],
      words: ['\n', '\u0012', '\u001a', '*', '\u00ff\u00ff\u00ff\u000f'],
      parse: (input) => Mount.requestDeserialize(input),
      // grpc-js answers these errors of the decoder with INTERNAL before any handler runs.
      refusals: [Error],
    },
    {
      name: 'HTTP/2 frames',
      samples: [call],
      words: ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\u0000\u0000\u0001\u0001', ':authority'],
      parse(input) {
        const walk = new FrameWalk(24, authorityPin());
        const out = [input.subarray(0, input.length / 2), input.subarray(input.length / 2)].flatMap((part) =>
          walk.walk(part),
        );
        return [Buffer.concat(out).toString('base64'), walk.gaveUp];
      },
    },
    {
      name: 'HTTP/1.1 answer',
      samples: [
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\n{}',
        'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-A: 1\r\n\r\n',
      ].map((text) => Buffer.from(text)),
      words: [
        '\r\n',
        '\r\n\r\n',
        'HTTP/1.1 100 \r\n\r\n',
        'Content-Length: 9',
        'Transfer-Encoding: chunked',
        'ffffffff',
        '0\r\n\r\n',
      ],
      parse(input) {
        const reader = new AnswerReader(1_000);
        const half = input.length / 2;
        const isComplete = reader.add(input.subarray(0, half)) || reader.add(input.subarray(half)) || reader.end();
        return [isComplete, reader.head, reader.text()];
      },
      refusals: [Error],
    },
    {
      name: 'attributes',
      samples: [json(attributes)],
      words: JSON_WORDS,
      parse: ofText((text) => [...parseAttributes(text).parameters]),
    },
    {
      name: 'node-publish secret',
      samples: bytes(request.secrets, 'null', '{}'),
      words: JSON_WORDS,
      parse: ofText((text) => parseNodePublishSecret(text)),
    },
    { name: 'permission', samples: bytes('420', '0', 'null'), words: JSON_WORDS, parse: ofText(parsePermission) },
    {
      name: 'service-account tokens',
      samples: bytes(tokens),
      words: JSON_WORDS,
      parse: ofText((text) => [findToken(new Secret(text), TOKEN_AUDIENCE, NOW), tokensIn(new Secret(text)).length]),
    },
  ];
}

/** Parsers of manifests. */
function manifestTargets(): readonly Target[] {
  const field =
    'vault:\n  name: kv\n  directoryId: t\n  credentials:\n    servicePrincipalLocalSecretName: s\nvaultCert:\n  name: c\n';
  const spc = `apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: a}\nspec:\n  provider: azure\n  parameters:\n    keyvaultName: kv\n    objects: |\n      array:\n        - |\n          objectName: a\n          objectType: secret\n`;
  const parameter = (name: 'objects' | 'keyVault') => (text: string) => {
    const { volume, error, notes, warnings } = read({
      ...(name === 'objects' && { keyvaultName: 'kv' }),
      tenantID: TENANT,
      [name]: text,
    });
    return [volume?.objects.length, error?.message, notes, warnings];
  };
  return [
    {
      name: 'objects',
      samples: bytes(
        OBJECTS,
        'array:\n- {objectName: a, objectType: cert}\n',
        'array:\n- {objectName: a, objectType: secret, optional: true, default: x, metadata: m.json}\n',
        'array:\n- {objectName: a, objectType: secret, validity: previous, vault: {name: kv2, fallbackVaults: [kv3, kv4]}}\n',
        'array:\n- {objectName: a, objectType: secret, extract: {b: c.d, "e/{key}": {jmesPath: "@", optional: true}}}\n',
      ),
      words: YAML_WORDS,
      parse: ofText((text) => withLanguages(() => parameter('objects')(text))),
    },
    {
      name: 'keyVault',
      samples: bytes(
        field,
        `${field}  optional: true\n  ifMissing: skip\n  metadata: m.json\n  validity: warn\n  vault: {name: kv2, directoryId: a}\n`,
      ),
      words: YAML_WORDS,
      parse: ofText((text) => withLanguages(() => parameter('keyVault')(text))),
    },
    {
      name: 'content of extract',
      samples: bytes('{"a": {"b": [1.10, true, null, "c"]}}', 'a: &x\n  b: |\n    c\nd: *x\n'),
      words: [...YAML_WORDS, ...JSON_WORDS],
      parse: ofText((text) => {
        const content = readContent(text);
        return content.ok ? textOf(plainDataOf(content.tree).data) : content.problem;
      }),
      refusals: [ProviderError],
    },
    {
      name: 'expression of extract',
      samples: bytes("a[?b=='c'].{d: e} | [0]", 'sort_by(a, &b)[*].to_string(@)', 'a."b-c"[-1] || `{"d": 1}`'),
      words: [
        '&',
        '@',
        '[?',
        '[]',
        '[*]',
        '*',
        '|',
        '(',
        ')',
        '`',
        "'",
        '"',
        'map(&',
        'merge(',
        'join(',
        '.',
        '!',
        '<=',
        '[::-1]',
      ],
      parse: ofText((text) =>
        withLanguages(() => {
          const read = readExpression(text);
          if (!read.ok) return read.problem;
          try {
            return textOf(read.expression.search({ a: [{ b: 'c', e: 1 }, { b: 'd' }], d: { e: ['x'] } }));
          } catch {
            return 'does not fit the value';
          }
        }),
      ),
    },
    {
      name: 'templates',
      samples: bytes(
        'a: |\n  {{#s}}\n  x={{ s | json }}\n  {{/s}}\n  {{^s}}none{{/s}}\nb: {format: dotenv, objects: ["s*"]}\n',
        'a: {template: "<% t %> <%#objects%><% key %><%/objects%>", delimiters: "<% %>", objects: {K: s, L: t}}\n',
      ),
      words: [
        ...YAML_WORDS,
        '{{',
        '}}',
        '{{#objects}}',
        '{{/objects}}',
        '{{^s}}',
        '{{=',
        '{{>',
        '{{{',
        '<%',
        '| yaml',
        '*',
        '?',
      ],
      parse: ofText((text) =>
        withLanguages(() => {
          const objects = 'array:\n- {objectName: s, objectType: secret}\n- {objectName: t, objectType: secret}\n';
          const { volume, error } = read({ keyvaultName: 'kv', tenantID: TENANT, objects, templates: text });
          return [volume?.templates?.length, error?.message];
        }),
      ),
    },
    {
      name: 'check',
      samples: bytes(spc, listener),
      words: YAML_WORDS,
      parse: ofText((text) =>
        checkManifests(text, { defaults: DEFAULTS, providerNames: ['azure'], readCloudFile: NO_CLOUD_FILE }),
      ),
    },
    {
      name: 'render',
      samples: bytes(listener, bridge),
      words: YAML_WORDS,
      parse: ofText((text) => withLanguages(() => render([{ name: 'a.yaml', text }]).volumes.length)),
    },
    {
      name: 'annotation akv-csi/watch',
      samples: bytes('HUP mosquitto', 'PUT http://localhost:9090/-/reload,\nnginx', 'USR1 a,HUP b', 'ftp://a:b@c'),
      words: [',', '\n', ' ', '://', 'SIG', 'http://', '\u0000', '-'],
      parse: ofText(parseTasks),
    },
    {
      name: 'cloud file',
      samples: [
        json({
          activeDirectoryEndpoint: 'https://login.example/',
          keyVaultDNSSuffix: 'vault.example',
          keyVaultEndpoint: 'https://vault.example',
        }),
      ],
      words: [...JSON_WORDS, 'https://', '@', '?', '#', ':99999'],
      parse: ofText((text) => resolveCloud('AzureStackCloud', { name: 'f', text })),
    },
    {
      name: 'flags of serve',
      samples: bytes(
        '--endpoint\nunix:///a\n--cache-ttl=1h30m\n-v=5',
        '--log-format-json\n--metrics-object-names=false',
      ),
      words: ['--', '=', '\n', '1h', '-1', '9'.repeat(30), '--v'],
      parse: ofText((text) => parseServeFlags(text.split('\n'))),
    },
  ];
}

/** Parsers of what Azure, or a proxy in its place, answers. */
function azureTargets(): readonly Target[] {
  const attributes = { enabled: true, created: 1, updated: 1, exp: 4_000_000_000 };
  const secret = { value: 'v', id: `${VAULT_URL}/secrets/a/0123`, attributes, contentType: 'text/plain' };
  const key = { key: { kid: `${VAULT_URL}/keys/a/0123`, kty: 'RSA', n: 'AQAB', e: 'AQAB' }, attributes };
  const certificate = { id: `${VAULT_URL}/certificates/a/0123`, cer: 'MIIB', attributes };
  const listing = { value: [{ id: `${VAULT_URL}/secrets/a/0123`, attributes }], nextLink: null };
  const sent = async (text: string) => {
    const client = new VaultClient(VAULT_URL, {
      sendRequest: async (request) => ({
        request,
        status: 200,
        headers: createHttpHeaders({ 'content-type': 'application/json' }),
        bodyAsText: text,
      }),
    });
    const call = { authorization: 'Bearer t', clientRequestId: 'r', signal: new AbortController().signal };
    return fetchedFromWire(SECRET, await client.get(SECRET, call));
  };
  return [
    {
      name: 'answer of the SDK',
      samples: [json(secret)],
      words: JSON_WORDS,
      parse: ofText(sent),
      refusals: [BadAnswer],
    },
    ...(['secret', 'key', 'cert'] as const).map((kind) => ({
      name: `${kind} of a vault`,
      samples: [json({ secret, key, cert: certificate }[kind])],
      words: JSON_WORDS,
      parse: ofJson((body) => fetchedFromWire({ type: kind, name: 'a', version: '' }, body)),
      refusals: [BadAnswer],
    })),
    {
      name: 'version listing',
      samples: [json(listing)],
      words: JSON_WORDS,
      parse: ofJson((body) => listedFromWire(SECRET, body)),
      refusals: [BadAnswer],
    },
    {
      name: 'listing of objects',
      samples: [json({ value: [{ id: `${VAULT_URL}/secrets/a`, attributes, tags: { a: 'b' } }], nextLink: null })],
      words: JSON_WORDS,
      parse: ofJson((body) => objectsFromWire('secret', body)),
      refusals: [BadAnswer],
    },
    {
      name: 'challenge',
      samples: bytes(
        `Bearer authorization="https://login.windows.net/${TENANT}", resource="https://vault.azure.net"`,
        'Bearer error="insufficient_claims", claims="e30="',
      ),
      words: ['Bearer ', 'authorization=', '"', ', ', '=', 'scope="', '/.default', 'error="insufficient_claims"'],
      parse(input) {
        const headers = createHttpHeaders();
        headers.set('www-authenticate', input.toString('latin1'));
        try {
          refuseChallenges({ request: undefined as never, status: 401, headers, bodyAsText: input.toString('utf8') });
        } catch (error) {
          if (error instanceof Challenge) return [error.tenantId, error.resource, error.claims];
          throw error;
        }
        return 'no challenge';
      },
    },
    {
      name: 'Retry-After',
      samples: bytes('5', 'Wed, 21 Oct 2026 07:28:00 GMT', '1e9', '-5'),
      words: ['9'.repeat(20), ' GMT', 'Wed, ', '.', 'e'],
      parse: ofText((text) => retryAfter((name) => (name === 'retry-after' ? text : undefined), NOW) ?? null),
    },
  ];
}

/** Parsers of tokens and of what their issuers publish. */
function issuerTargets(): readonly Target[] {
  const issuer = 'https://oidc.example/c1';
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: issuer,
    sub: 'system:serviceaccount:a:b',
    aud: [TOKEN_AUDIENCE],
    exp: NOW / 1000 + 3600,
    nbf: 1,
  };
  const token = `${part({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${part(claims)}.c2ln`;
  const { kty, crv, x, y } = newKey('p-256').export({ format: 'jwk' });
  const keys = { keys: [{ kid: 'k', use: 'sig', kty, crv, x, y }] };
  const configuration = { issuer, jwks_uri: `${issuer}/keys` };
  const fetched = (answers: (url: string) => string) =>
    fetchIssuerKeys(issuer, {
      sendRequest: async (request) => ({
        request,
        status: 200,
        headers: createHttpHeaders(),
        bodyAsText: answers(request.url),
      }),
    });
  const isKeys = (url: string) => url.endsWith('/keys');
  return [
    {
      name: 'service-account token',
      samples: bytes(token),
      words: [
        '.',
        'e30',
        part({ alg: 'none', kid: 'k' }),
        part({ alg: 'HS256', kid: 'k' }),
        part({ crit: ['a'] }),
        '=',
        '-',
      ],
      parse: ofText((text) => {
        const read = readSignedToken(text);
        return read && [read, keyOf(read, []), claimsProblem(read.claims, { audience: TOKEN_AUDIENCE, now: NOW })];
      }),
    },
    {
      name: 'OpenID configuration',
      samples: [json(configuration)],
      words: [...JSON_WORDS, 'https://', '/keys', '@'],
      parse: ofText((text) =>
        fetched((url) => (isKeys(url) ? JSON.stringify(keys) : text)).then((found) => found.length),
      ),
      refusals: [UnusableDocument],
    },
    {
      name: 'keys of an issuer',
      samples: [json(keys)],
      words: [...JSON_WORDS, '"kty":"RSA"', '"n":"AQAB"', '"d":"AA"'],
      parse: ofText((text) =>
        fetched((url) => (isKeys(url) ? text : JSON.stringify(configuration))).then((found) => found.length),
      ),
      refusals: [UnusableDocument],
    },
  ];
}

/** Parsers of contents and of files. */
async function contentTargets(): Promise<readonly Target[]> {
  const key = newKey('p-256');
  const { certificate } = await issue({ name: 'web', key });
  const pem = certificate.toString();
  const sealing = await sealingKey(createSecretKey(randomBytes(32)), 'node-1');
  const sealed = await seal(sealing, 'f', { key: ['a'], sequence: 1, confirmedAt: 2 }, Buffer.from('value'));
  return [
    {
      name: 'content of a certificate',
      samples: [
        Buffer.from(`${pem}${keyPem(key)}`),
        Buffer.from(Buffer.from(pem).toString('base64')),
        certificate.raw,
        plainPfx([key], [certificate]),
      ],
      words: PEM_WORDS,
      async parse(input) {
        const bundle = await readBundle(input);
        return inspectBundle(bundle, { now: NOW });
      },
    },
    {
      name: 'sealed file',
      samples: [sealed],
      words: ['\u0000', 'AKV'],
      parse: async (input) => (await unseal([sealing], 'f', input)).head,
      refusals: [Unsealable],
    },
    {
      name: 'heads of sealed files',
      samples: [
        json({ key: ['a', 'b'], sequence: 1, confirmedAt: 2 }),
        json({ sequence: 1, savedAt: 2, entries: ['a 1 2'] }),
      ],
      words: JSON_WORDS,
      parse: ofJson((head) => [readIndex(head)?.entries.size, readEntryHead(head)]),
    },
  ];
}

/** Parsers of what the API server and the provider's pods send to the kubectl plugin. */
function clusterTargets(): readonly Target[] {
  const status = {
    metadata: { namespace: 'a', creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{ time: '2026-01-01' }] },
    status: { podName: 'p', secretProviderClassName: 'c', objects: [{ id: 'secret/a', version: '1' }] },
    message: 'MountVolume.SetUp failed for volume "v" : rpc error: code = NotFound desc = x',
    involvedObject: { kind: 'Pod', namespace: 'a', name: 'p' },
    spec: { volumes: [{ name: 'v', csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: {} } }] },
  };
  return [
    {
      name: 'metrics of a provider',
      samples: bytes('akv_csi_a{namespace="a",pod="b\\"\\n"} 1.5e9\n# TYPE akv_csi_a gauge\nakv_csi_b 0\n'),
      words: ['akv_csi_', '{', '} ', '"', '\\', '="', ',', '\n', 'NaN'],
      parse: ofText((text) => parseMetrics(text).size),
    },
    {
      name: 'line of the provider',
      samples: bytes('ts=1 level=error msg="Mount failed" code=ERR_VAULT error="a \\"b\\" \\n"', '{"level":"error"}'),
      words: [...JSON_WORDS, ' a=', '="', '\\"'],
      parse: ofText((text) => causeOfLine(fieldsOf(text))),
    },
    {
      name: 'objects of a cluster',
      samples: [json(status)],
      words: JSON_WORDS,
      parse: ofJson((value) => {
        const all = isJsonObject(value) ? [value] : [];
        const read = { classes: all, statuses: all, pending: all, events: all, metrics: new Map() };
        return classStatuses(read, all).length;
      }),
    },
  ];
}

/** Returns all parsers. */
export async function allTargets(): Promise<readonly Target[]> {
  return [
    ...driverTargets(),
    ...manifestTargets(),
    ...azureTargets(),
    ...issuerTargets(),
    ...clusterTargets(),
    ...(await contentTargets()),
    ...webhookTargets(JSON_WORDS),
  ];
}
