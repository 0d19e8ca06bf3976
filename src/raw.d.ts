/** A file imported as text; `scripts/build.mjs` and vitest both know the `?raw` suffix. */
declare module '*?raw' {
  const text: string;
  export default text;
}
