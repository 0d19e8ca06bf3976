/**
 * The annotations by which pods ask for volumes and SecretProviderClasses say where they come from. Used by `render`, by
 * the filter `render --into` and by all others that add volumes to pods.
 */

/** On a pod, or in `metadata.annotations` of a pod template: the items that the pod asks for; see items.ts. */
export const MOUNT = 'akv-csi/mount';

/** On a pod: what is to be done when the files of its volumes change; see watch-items.ts. */
export const WATCH = 'akv-csi/watch';

/** On a pod: the image of the container that watches, where no option gives one. */
export const WATCH_IMAGE = 'akv-csi/watch-image';

/** The container that watches the volumes of a pod; see watch-container.ts. */
export const WATCHER = 'akv-csi-watch';

/** On a SecretProviderClass that `render` made: `Kind/name/role` of the field that it was made from. */
export const FROM = 'akv-csi/from';

/** On a SecretProviderClass: the Secret with the credentials, where the parameter `keyVault` does not name it. */
export const NODE_PUBLISH_SECRET = 'akv-csi/node-publish-secret';

/** On a pod: the container that kubectl uses, and that an item without a container means. */
export const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';
