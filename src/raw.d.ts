/** A file imported as text; `scripts/build.mjs` and vitest both know the `?raw` suffix. */
declare module '*?raw' {
  const text: string;
  export default text;
}

declare module 'node-forge/lib/*.js' {
  const forge: unknown;
  export default forge;
}
