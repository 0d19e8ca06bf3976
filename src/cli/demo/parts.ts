/**
 * Types that the steps of the demo hand to one another: the context, the running processes and the mounted volumes.
 */

import type { X509Certificate } from 'node:crypto';
import type { ProviderClient } from '../../driver/client.ts';
import type { Emulator } from '../../emulator/emulator.ts';
import type { RenderedVolume } from '../../render/volume.ts';
import type { MountedKeyPair } from './certificates.ts';
import type { DemoContext } from './context.ts';
import type { ProviderProcess } from './provider-process.ts';
import type { Screen } from './screen.ts';
import type { MountedVolume } from './volumes.ts';

/** The parts that all steps of the demo use. */
export interface DemoSetup {
  readonly screen: Screen;
  readonly context: DemoContext;
  /** YAML of the emulator's state. */
  readonly seed: string;
  /** True if everything keeps running after the last step. */
  readonly keep: boolean;
  /** The broker to use; undefined: mosquitto where it is installed, aedes otherwise. */
  readonly broker: 'mosquitto' | 'aedes' | undefined;
}

/** The processes that run after the first steps. */
export interface RunningProvider {
  readonly emulator: Emulator;
  readonly provider: ProviderProcess;
  /** The connection of the driver to the provider. */
  readonly driver: ProviderClient;
  /** The one root that clients of the broker trust. */
  readonly root: X509Certificate;
}

/** A volume with the key pair in it, if there is one. */
export interface ShownVolume extends MountedVolume<RenderedVolume> {
  readonly keyPair: MountedKeyPair | undefined;
}

/** The volumes of the three resources, in their order, and the one of mosquitto. */
export interface Volumes {
  readonly listener: ShownVolume;
  readonly authentication: ShownVolume;
  readonly bridge: ShownVolume;
  /** Passwords in the format of mosquitto. */
  readonly passwords: MountedVolume;
}
