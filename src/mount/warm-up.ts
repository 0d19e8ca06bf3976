/**
 * Runs the parser of manifests before the first Mount, so that its code is compiled by then. The provider calls it
 * after its first answer to the driver.
 */

import { nextTurn } from '../base/turns.ts';
import { parseAttributes } from '../spc/attributes.ts';
import type { ParameterDefaults } from '../spc/parameter-reader.ts';
import { parseParameters } from '../spc/parameters.ts';

const ROUNDS = 3;
const OBJECTS = 60;

/**
 * Parses a typical manifest, so that the first pod of a node does not wait for code that runs for the first time and is
 * several times slower.
 */
export async function warmUp(defaults: ParameterDefaults): Promise<void> {
  const objects = Array.from(
    { length: OBJECTS },
    (_, i) =>
      `  - |\n    objectName: name-${i}\n    objectType: secret\n    objectAlias: path/${i}\n    filePermission: "0600"\n`,
  );
  const parameters = {
    keyvaultName: 'name',
    tenantID: 'tenant',
    clientID: 'client',
    objects: `array:\n${objects.join('')}`,
  };
  const attributes = parseAttributes(JSON.stringify(parameters));
  for (let round = 0; round < ROUNDS; round++) {
    await nextTurn();
    parseParameters(attributes, { defaults });
  }
}
