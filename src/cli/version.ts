/**
 * Version and build date of the program, which the build inserts.
 */

/** Version of this program; `scripts/build.mjs` inserts it from package.json. */
export const VERSION = process.env.AKV_CSI_VERSION ?? '0.0.0-dev';

/** Date of the build, ISO 8601. */
export const BUILD_DATE = process.env.AKV_CSI_BUILD_DATE ?? '';
