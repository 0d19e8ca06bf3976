import { describe, expect, it } from 'vitest';
import { jwtClaims, jwtExpiry } from '../../src/base/jwt.ts';

const part = (text: string) => Buffer.from(text).toString('base64url');
const jwt = (claims: string) => `${part('{}')}.${part(claims)}.x`;

describe('the claims of a JWT', () => {
  it('are those of its second part', () => {
    expect(jwtClaims(jwt('{"iss":"i","exp":5}'))).toEqual({ iss: 'i', exp: 5 });
    expect(jwtExpiry(jwt('{"iss":"i","exp":5}'))).toBe(5000);
  });

  it.each(['', 'opaque', 'a.b.c', jwt('[1]'), jwt('null'), jwt('"text"'), jwt('{')])('are absent in %j', (token) => {
    expect(jwtClaims(token)).toBeUndefined();
    expect(jwtExpiry(token)).toBeUndefined();
  });

  it.each([
    ['too long', `{"a":"${'x'.repeat(64 * 1024)}"}`],
    ['too many', `{"a":[${'1,'.repeat(600)}1]}`],
    ['nested too deep', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
  ])('are absent where they are %s', (_, claims) => {
    expect(jwtClaims(jwt(claims))).toBeUndefined();
  });

  it.each(['{"exp":"5"}', '{"exp":1e999}', '{"exp":null}', '{}'])('name no end in %s', (claims) => {
    expect(jwtExpiry(jwt(claims))).toBeUndefined();
  });
});
