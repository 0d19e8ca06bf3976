// Pods of a secret that the provider has read before an outage, and of one that it has not, each with the token of its
// ServiceAccount or with the credentials Secret. The tests of outages create them.
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { classicParameters } from './classic.ts';
import type { DriverLine } from './driver.ts';
import type { PodVolume } from './kubelet.ts';
import type { Node } from './node.ts';

/** The value of both secrets at the start. */
export const BEFORE = 'before the cut';

/** Pods, and what is done with them. */
export interface KnownPods {
  /** Adds a pod of a class: `known`, `unknown`, or one of these with `-by-secret`. */
  pod(secretProviderClass: string): PodVolume;
  /** Publishes volumes again, as a kubelet does from driver v1.6 on; a driver before does it by itself. */
  republish(volumes: readonly PodVolume[]): Promise<void>;
}

/** Creates the secrets `known` and `unknown`, and two classes of each. */
export function prepareKnown(node: Node, { rotation }: DriverLine): KnownPods {
  for (const name of ['known', 'unknown']) {
    node.emulator.setSecret(VAULT, name, BEFORE);
    const parameters = classicParameters([{ objectName: name, objectType: 'secret' }]);
    node.addClass(name, { parameters });
    node.addClass(`${name}-by-secret`, { parameters: { ...parameters, clientID: '' } });
  }
  let pods = 0;
  return {
    pod: (secretProviderClass) =>
      node.addPod({
        name: `pod-${pods++}`,
        secretProviderClass,
        withCredentials: secretProviderClass.endsWith('-by-secret'),
      }),
    async republish(volumes) {
      if (rotation === 'kubelet') await Promise.all(volumes.map((volume) => node.kubelet.publish(volume)));
    },
  };
}
