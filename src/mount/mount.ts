import { abortable } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { ProviderError } from '../base/errors.ts';
import type { LogFields, Logger } from '../base/log.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { type Attributes, parseAttributes, parseNodePublishSecret, parsePermission } from '../spc/attributes.ts';
import type { VolumeSpec } from '../spc/model.ts';
import type { ParameterDefaults } from '../spc/parameter-reader.ts';
import { findingsError, parseParameters } from '../spc/parameters.ts';
import { type Answer, assembleAnswer } from './answer.ts';
import { startBudget } from './budget.ts';
import type { MountHandler, MountInput } from './call.ts';
import { convertObjects } from './convert.ts';
import { asProviderError, fetchObjects } from './fetch.ts';
import { Journal } from './journal.ts';
import { NotedOnce } from './noted-once.ts';
import type { FetchContext, VaultAccess } from './ports.ts';
import { Progress } from './progress.ts';

/** What Mounts work with. */
export interface MountDeps {
  readonly vaults: VaultAccess;
  readonly defaults: ParameterDefaults;
  /** What to do about expired and not yet valid certificates. */
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One Mount on its way. */
interface Journey extends MountDeps {
  readonly context: FetchContext;
  readonly noted: NotedOnce;
}

/**
 * The way of every Mount: attributes → parameters → fetch (parallel) → convert → answer.
 * All validation comes before the first call to a vault; the answer holds every file, or there is none.
 */
async function mount(input: MountInput, attributes: Attributes, journey: Journey): Promise<Answer> {
  const volume = readVolume(input, attributes, journey);
  const reader = journey.vaults.open(volume);
  const fetched = await fetchObjects(volume.objects, reader, journey.context);
  const { made, unwritten } = await convertObjects(fetched, { ...journey, signal: journey.context.signal });
  reportExpiries(volume, fetched, journey.telemetry);
  return assembleAnswer(made, unwritten);
}

/** The handler of the Mount call: {@link mount} within the caller's time, reported in log and metrics. */
export function createMount(deps: MountDeps): MountHandler {
  const { clock, telemetry } = deps;
  const journal = new Journal();
  const noted = new NotedOnce();
  let mounts = 0;

  return async (input, call) => {
    const startedAt = clock.now();
    const progress = new Progress(clock);
    const budget = startBudget(call, { clock, progress });
    const context: FetchContext = { signal: budget.signal, deadlineAt: budget.deadlineAt, progress, mountId: ++mounts };
    let log = deps.log;
    let attributes: Attributes | undefined;
    let ok = false;
    try {
      attributes = parseAttributes(input.attributes);
      log = deps.log.with(podFields(attributes));
      const work = mount(input, attributes, { ...deps, log, context, noted });
      const { warning, files, objectVersions } = await abortable(work, budget.signal);
      if (warning !== undefined) log.warn(warning);
      journal.record(volumeKey(attributes), objectVersions, log);
      log.info('Mounted', {
        objects: new Set(objectVersions.map(({ id }) => id)).size,
        files: files.length,
        ms: clock.now() - startedAt,
        code: 'OK',
      });
      ok = true;
      return { files, objectVersions };
    } catch (thrown) {
      const error = asProviderError(thrown);
      logFailure(error, clock.now() - startedAt, log);
      throw error;
    } finally {
      budget.dispose();
      if (attributes !== undefined && attributes.pod.name !== '') {
        const { pod, secretProviderClass } = attributes;
        telemetry.mountFinished({
          namespace: pod.namespace,
          pod: pod.name,
          secretProviderClass,
          ok,
          finishedAt: clock.now(),
        });
      }
    }
  };
}

function readVolume(input: MountInput, attributes: Attributes, { defaults, clock, log, noted }: Journey): VolumeSpec {
  const secret = parseNodePublishSecret(input.secrets);
  const mode = parsePermission(input.permission);
  log.debug('Parameters', {
    objects: attributes.parameters.get('objects') ?? attributes.parameters.get('keyVault') ?? '',
  });
  const { findings, volume } = parseParameters(attributes, { defaults, request: { secret, mode, now: clock.now() } });
  for (const { severity, message } of findings.all) {
    if (severity !== 'error')
      noted.note(`${volumeKey(attributes)} ${message}`, () => log[severity === 'warning' ? 'warn' : 'info'](message));
  }
  const error = findingsError(findings);
  if (error !== undefined) throw error;
  if (volume === undefined) throw new Error('parameters without findings gave no volume');
  return volume;
}

function reportExpiries(
  volume: VolumeSpec,
  fetched: Awaited<ReturnType<typeof fetchObjects>>,
  telemetry: Telemetry,
): void {
  const { namespace, name: pod } = volume.pod;
  for (const { object, fetched: versions } of fetched) {
    const expiresAt = versions[0]?.expiresAt;
    if (expiresAt !== undefined)
      telemetry.objectExpiry({ namespace, pod, objectType: object.type, objectName: object.name, expiresAt });
  }
}

function logFailure(error: ProviderError, ms: number, log: Logger): void {
  const { requestId, httpStatus, remoteCode } = error.details;
  const fields = { ms, code: error.code, requestId, httpStatus, remoteCode };
  log.error(error.message, fields);
  const defects = [error, ...error.errors].filter(
    ({ code, cause }) => code === 'ERR_INTERNAL' && cause instanceof Error,
  );
  // The stack names places, not values; the message of a foreign error may quote what it choked on.
  for (const { cause } of defects) log.error('Defect', { stack: cause instanceof Error ? framesOf(cause) : '' });
}

function framesOf({ name, stack }: Error): string {
  const frames = (stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  return [name, ...frames].join('\n');
}

function podFields({ pod, secretProviderClass }: Attributes): LogFields {
  return { namespace: pod.namespace, pod: pod.name, secretProviderClass };
}

function volumeKey({ pod, secretProviderClass }: Attributes): string {
  return `${pod.namespace}/${pod.name}/${pod.uid}/${secretProviderClass}`;
}
