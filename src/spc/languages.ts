/**
 * Loads the languages of manifests when they are first needed. The readers of parameters call `languages`; what reads
 * parameters for a command or a Mount loads them and reads again.
 */

type Languages = typeof import('./language-libraries.ts');

let loaded: Languages | undefined;

/** A manifest needs a language, and {@link loadLanguages} was not called before. */
export class LanguagesNeeded extends Error {}

/** Loads the languages, once for the process. */
export async function loadLanguages(): Promise<void> {
  loaded ??= await import('./language-libraries.ts');
}

/** Returns the languages. Throws: {@link LanguagesNeeded}. */
export function languages(): Languages {
  if (loaded === undefined) throw new LanguagesNeeded('loadLanguages was not called');
  return loaded;
}

/** Returns what `read` gives. If it needs the languages, they are loaded, and `read` is called again. */
export async function withLanguages<T>(read: () => T): Promise<T> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LanguagesNeeded)) throw error;
  }
  await loadLanguages();
  return read();
}
