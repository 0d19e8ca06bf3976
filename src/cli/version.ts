/**
 * Version and build date of the program, which the build puts in.
 */

/** Version of this program; `scripts/build.mjs` puts it in from package.json. */
export const VERSION = process.env.AKV_CSI_VERSION ?? '0.0.0-dev';

/** When it was built, ISO 8601. */
export const BUILD_DATE = process.env.AKV_CSI_BUILD_DATE ?? '';
