import { describe, expect, test } from 'vitest';
import { BadReview, readReview, writeReview } from '../../src/webhook/review.ts';
import { admissionReview, type Tree } from '../support/reviews.ts';

const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'apps' } };
const text = (changes: Tree = {}, outer: Tree = {}) => JSON.stringify({ ...admissionReview(POD, changes), ...outer });

describe('readReview', () => {
  test('reads what decides', () => {
    expect(readReview(text({ uid: 'u', operation: 'UPDATE', oldObject: POD, subResource: 'status' }))).toEqual({
      uid: 'u',
      operation: 'UPDATE',
      group: '',
      kind: 'Pod',
      subResource: 'status',
      namespace: 'apps',
      object: POD,
      oldObject: POD,
    });
    expect(readReview(text({ object: null })).object).toBeUndefined();
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', 'kind: AdmissionReview', /the body is no AdmissionReview: it is not valid JSON/],
    ['an empty body', '', /unexpected end of JSON input/],
    ['a list', '[]', /it is no JSON object/],
    ['another kind', text({}, { kind: 'Pod' }), /^kind is "Pod"; it must be "AdmissionReview"/],
    [
      'the old version',
      text({}, { apiVersion: 'admission.k8s.io/v1beta1' }),
      /^apiVersion is "admission.k8s.io\/v1beta1"/,
    ],
    ['no request', text({}, { request: null }), /^request must be an object/],
    ['no uid', text({ uid: undefined }), /^request.uid must have 1 to 128 characters/],
    ['a long uid', text({ uid: 'u'.repeat(129) }), /^request.uid must have/],
    ['a uid that is no text', text({ uid: 7 }), /^request.uid must be a text/],
    ['no kind', text({ kind: undefined }), /^request.kind must be an object/],
    ['a kind that is no text', text({ kind: { kind: [] } }), /^request.kind.kind must be a text/],
    ['an operation that is no text', text({ operation: {} }), /^request.operation must be a text/],
    ['an object that is a text', text({ object: 'x' }), /^request.object must be an object/],
    ['an old object that is a list', text({ oldObject: [] }), /^request.oldObject must be an object/],
    ['deep nesting', '['.repeat(200) + ']'.repeat(200), /nests 200 levels deep, more than 100/],
    ['many entries', `[${'0,'.repeat(600_000)}0]`, /entries, more than 500000/],
  ])('refuses %s', (_name, body, message) => {
    expect(() => readReview(body)).toThrow(BadReview);
    expect(() => readReview(body)).toThrow(message);
  });
});

describe('writeReview', () => {
  const answer = (verdict: Parameters<typeof writeReview>[1]) => JSON.parse(writeReview({ uid: 'u' }, verdict));

  test('allows, with what there is and nothing else', () => {
    expect(answer({})).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u', allowed: true },
    });
    expect(answer({ patch: [], warnings: ['w'] }).response).toEqual({ uid: 'u', allowed: true, warnings: ['w'] });
  });

  test('denies with a status', () => {
    const refusal = { code: 422, reason: 'Invalid', message: 'm' };
    expect(answer({ refusal }).response).toEqual({
      uid: 'u',
      allowed: false,
      status: { status: 'Failure', code: 422, reason: 'Invalid', message: 'm' },
    });
  });
});
