/**
 * Makes a Deployment that mounts a class and does nothing else, so that the driver keeps the Kubernetes Secrets of the
 * class. Called by `render --holder`. The pod conforms to the Pod Security Standard "restricted".
 */

import { labelFor } from '../names.ts';
import type { RenderedVolume } from '../volume.ts';

/** The choices of the user. */
export interface HolderOptions {
  readonly image: string;
  /** The ServiceAccount of the pod, whose token proves a workload identity. Default: that of the namespace. */
  readonly serviceAccount?: string;
}

/** The image of Kubernetes' own pause container, for all architectures of Linux. */
export const PAUSE_IMAGE =
  'registry.k8s.io/pause:3.10@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a';

/** The user of the pause image, without rights on the node. */
const USER = 65535;

/** Returns the Deployment of a class, as data for the API server. */
export function holderOf(rendered: RenderedVolume, { image, serviceAccount }: HolderOptions): object {
  const { name, namespace, volume, volumeMount } = rendered;
  const labels = { 'app.kubernetes.io/name': 'akv-csi-holder', 'app.kubernetes.io/instance': labelFor(name) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: labelFor(`${name}-holder`), ...(namespace === '' ? {} : { namespace }), labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'pause',
              image,
              resources: { requests: { cpu: '1m', memory: '8Mi' }, limits: { memory: '16Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [volumeMount],
            },
          ],
          volumes: [volume],
        },
      },
    },
  };
}
