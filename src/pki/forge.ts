/**
 * Loads the two parts of node-forge that the program uses: ASN.1 and RC2. `der-write.ts` and `ciphers.ts` call it. The
 * whole of node-forge is six times as large.
 */

import type whole from 'node-forge';
import forge from 'node-forge/lib/forge.js';
import 'node-forge/lib/asn1.js';
import 'node-forge/lib/rc2.js';

/** The parts of node-forge, each of which puts itself into the object of `forge.js`. */
export const { asn1, rc2, util } = forge as Pick<typeof whole, 'asn1' | 'rc2' | 'util'>;
