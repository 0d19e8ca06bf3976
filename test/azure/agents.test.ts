import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Agents, proxyFor } from '../../src/azure/http/agents.ts';

const NAMES = ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy', 'ALL_PROXY', 'all_proxy'];
const before = new Map(NAMES.map((name) => [name, process.env[name]]));

beforeEach(() => {
  for (const name of NAMES) delete process.env[name];
});
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Returns true if a request to the URL uses the proxy of the environment. */
function proxied(url: string, noProxy = ''): boolean {
  process.env.HTTPS_PROXY = 'http://proxy.example:3128';
  process.env.HTTP_PROXY = 'http://proxy.example:3128';
  process.env.NO_PROXY = noProxy;
  const agents = new Agents([]);
  try {
    return agents.for(new URL(url)).proxy !== '';
  } finally {
    agents.close();
    delete process.env.HTTP_PROXY;
  }
}

describe('the proxy of the environment', () => {
  it.each(['https://kv.vault.azure.net/secrets/x', 'https://login.microsoftonline.com/tenant'])(
    'is used for %s',
    (url) => expect(proxied(url)).toBe(true),
  );

  it.each([
    'http://169.254.169.254/metadata/identity/oauth2/token',
    'http://localhost:2579/host/token/',
    'https://localhost:8443/',
    'https://127.0.0.1:8443/',
    'https://[::1]:8443/',
    'https://kv.vault.localhost:8443/',
  ])('is never used for %s', (url) => expect(proxied(url)).toBe(false));

  it.each([
    ['vault.azure.net', false],
    ['.vault.azure.net', false],
    ['kv.vault.azure.net', false],
    ['*', false],
    ['other.azure.net', true],
    ['azure.com, example.com', true],
  ])('with NO_PROXY=%s, for https://kv.vault.azure.net: %s', (noProxy, expected) => {
    expect(proxied('https://kv.vault.azure.net/', noProxy)).toBe(expected);
  });

  it.each([
    ['proxy.example:3128', 'http://proxy.example:3128'],
    ['user:word@proxy.example', 'http://user:word@proxy.example'],
    ['http://proxy.example:3128', 'http://proxy.example:3128'],
    ['https://proxy.example', 'https://proxy.example'],
  ])('has TLS only if it says https: %s', (named, expected) => {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
      vi.stubEnv(name, named);
      expect(proxyFor('kv.vault.azure.net', 'https://kv.vault.azure.net/')).toBe(expected);
      vi.unstubAllEnvs();
    }
  });

  it('of HTTPS does not replace that of HTTP', () => {
    vi.stubEnv('HTTPS_PROXY', 'secure.example:3128');
    vi.stubEnv('HTTP_PROXY', 'plain.example:3128');
    expect(proxyFor('vault.example', 'http://vault.example/')).toBe('http://plain.example:3128');
    vi.unstubAllEnvs();
  });

  it('is not there: one agent, bounded, for all hosts', () => {
    const agents = new Agents([]);
    const { agent } = agents.for(new URL('https://a.vault.azure.net/'));
    expect(agents.for(new URL('https://b.vault.azure.net/')).agent).toBe(agent);
    expect(agent.maxSockets).toBeLessThanOrEqual(50);
    agents.close();
  });
});
