import { createHttpHeaders, createPipelineRequest, RestError } from '@azure/core-rest-pipeline';
import { describe, expect, it } from 'vitest';
import { Challenge } from '../../src/azure/vault/challenge.ts';
import { isThrottling, judge } from '../../src/azure/vault/throttling.ts';

const NOW = Date.parse('Tue, 24 Nov 2026 10:00:00 GMT');

function answer(status: number, headers: Record<string, string> = {}): RestError {
  const request = createPipelineRequest({ url: 'https://v.vault.azure.net/' });
  const response = { status, request, headers: createHttpHeaders(headers) };
  return new RestError('', { statusCode: status, request, response });
}

describe('the wait that a vault asks for', () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': ' 1.5 ' }, 1500],
    [{ 'retry-after': 'Tue, 24 Nov 2026 10:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Tue, 24 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': 'Tue, 24 Nov 2026 12:00:30 GMT', date: 'Tue, 24 Nov 2026 12:00:00 GMT' }, 30_000],
    [{ 'retry-after': 'Tue, 24 Nov 2026 10:00:30 GMT', date: 'yesterday' }, 30_000],
    [{ 'retry-after': '' }, undefined],
    [{ 'retry-after-ms': '400', 'retry-after': '7' }, 400],
    [{ 'x-ms-retry-after-ms': '250' }, 250],
    [{ 'retry-after-ms': 'x', 'retry-after': '7' }, 7000],
  ])('is read from %j', (headers, retryAfterMs) => {
    expect(judge(answer(429, headers), NOW)).toEqual({ retryAfterMs });
  });

  it('counts for 503 only where there is one', () => {
    expect(isThrottling(answer(503, { 'retry-after': '1' }))).toBe(true);
    expect(isThrottling(answer(503))).toBe(false);
  });
});

describe('other ends of a request', () => {
  it.each([400, 403, 404])('with status %i show that the vault takes requests', (status) => {
    expect(judge(answer(status), NOW)).toBe('answered');
  });

  it('a challenge shows it too', () => {
    expect(judge(new Challenge('', '', undefined), NOW)).toBe('answered');
  });

  it.each([answer(500), answer(503), new RestError('', { code: 'ECONNRESET' }), new Error('x')])(
    '%s show nothing',
    (error) => {
      expect(judge(error, NOW)).toBeUndefined();
      expect(isThrottling(error)).toBe(false);
    },
  );
});
