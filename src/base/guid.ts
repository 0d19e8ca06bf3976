/**
 * The form of the IDs of Entra ID: of tenants, applications and resources.
 * All code that checks such an ID calls it.
 */

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** True for 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12, in any letter case. */
export function isGuid(text: string): boolean {
  return GUID.test(text);
}
