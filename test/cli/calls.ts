/** Calls of the driver, as the meters of `serve` get them. */
export { MOUNT_METHOD as MOUNT } from '../../src/wire/names.ts';

/** The method of a health check. */
export const VERSION = '/v1alpha1.CSIDriverProvider/Version';

/** The end of a call that succeeded. */
export const ended = (method: string) => ({ method, code: 'OK', errorCode: '', seconds: 0 });
