/**
 * A vault's answer with status 200 that is not what was asked for. `vault.ts` and `wire.ts` throw it, `vaultError`
 * explains it. The message says what is wrong and quotes nothing of the answer, which may hold a value.
 */
export class BadAnswer extends Error {}

/** What is wrong with a page of a proxy, or with JSON that is cut. */
export const NO_JSON = 'the vault answered 200 with a text that is no JSON, so it is not the JSON asked for';
