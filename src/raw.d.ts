/** A file imported as text; `scripts/build.mjs` and vitest both know the `?raw` suffix. */
declare module '*?raw' {
  const text: string;
  export default text;
}

/** Made of `native/memory.c` by `scripts/build.mjs`. */
declare module '*/memory.node' {
  export const readSinglePages: () => void;
  export const releaseCode: () => void;
  export const trim: () => void;
}

declare module 'node-forge/lib/*.js' {
  const forge: unknown;
  export default forge;
}
