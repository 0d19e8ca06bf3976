/**
 * Defines the pipeline of a Mount, from the request of the driver to its answer. `cli/provider.ts` makes the handler,
 * and the server calls it. Requests with mistakes are refused before the first call to a vault, and an answer with a
 * missing file is never sent.
 */

import { abortable } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { type ProviderError, withReason } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { MemoryBudget } from '../base/memory-budget.ts';
import { Redactor } from '../base/redact.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { inSpan, type SpanAttributes } from '../base/trace.ts';
import { nextTurn } from '../base/turns.ts';
import {
  type Attributes,
  checkTargetPath,
  credentialsIn,
  parseAttributes,
  parseNodePublishSecret,
  parsePermission,
} from '../spc/attributes.ts';
import type { ReadCloudFile } from '../spc/cloud.ts';
import type { DeveloperLogin } from '../spc/identities/developer.ts';
import type { IdentityKind } from '../spc/identities/table.ts';
import type { ObjectSpec, VolumeSpec } from '../spc/model.ts';
import type { ParameterDefaults, Remember } from '../spc/parameter-reader.ts';
import { findingsError, parseWithCloudFile } from '../spc/parameters.ts';
import { tokensIn } from '../spc/tokens.ts';
import { completeIdentity } from './complete-identity.ts';
import { CertificateCache } from './convert/certificate-cache.ts';
import { type Converted, convertObjects } from './convert/convert.ts';
import { startBudget } from './deadline.ts';
import { asProviderError } from './failures.ts';
import { fetchObjects } from './fetch.ts';
import type { MountHandler, MountInput } from './handler.ts';
import { fileOfLiteral } from './literals.ts';
import { LogOnce } from './log-once.ts';
import { rememberTexts } from './manifest-cache.ts';
import { MountMemory } from './memory.ts';
import { emptiedMark } from './missing.ts';
import { type OverrideRules, refuseOverrides } from './overrides.ts';
import { Progress } from './pending-waits.ts';
import type { AccountReader, FetchContext, VaultAccess } from './ports.ts';
import { MountReport } from './report.ts';
import { type Answer, assembleAnswer } from './response.ts';
import { expandSelections } from './selection.ts';
import { Snapshot } from './snapshot.ts';
import { renderTemplates } from './templates.ts';
import { openVaults } from './vaults.ts';
import { VersionLog } from './version-log.ts';
import { VolumeNames } from './volume-names.ts';

/** Everything that Mounts need from other parts of the program. */
export interface MountDeps {
  readonly vaults: VaultAccess;
  readonly defaults: ParameterDefaults;
  readonly readCloudFile: ReadCloudFile;
  /** The treatment of expired and not yet valid certificates. */
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly telemetry: Telemetry;
  /** See `ReportOptions`. */
  readonly lastKnownServed?: (cause: ProviderError) => void;
  readonly clock: Clock;
  /** Drops results of earlier values from memory. */
  readonly sweeper: Sweeper;
  /** The memory budget that all current Mounts share. Default: a budget without limit. */
  readonly budget?: MemoryBudget | undefined;
  readonly log: Logger;
  /** `--identity-modes`. Default: all. */
  readonly servedModes?: readonly IdentityKind[] | undefined;
  /** See `RequestFacts`. */
  readonly developer?: DeveloperLogin | undefined;
  /** Default: pods may change every parameter. */
  readonly overrides?: OverrideRules | undefined;
  /** Reads the client IDs that manifests leave out. Default: they may not. */
  readonly accounts?: AccountReader | undefined;
  /** Secrets of the provider itself, such as the password of a proxy. Messages never contain them. */
  readonly confidential?: readonly string[];
}

/** One current Mount. */
interface Journey extends MountDeps {
  readonly context: FetchContext & { readonly memory: MountMemory };
  readonly noted: LogOnce;
  readonly contents: CertificateCache;
  readonly remember: Remember;
  readonly report: MountReport;
  /** Knows the secrets of this request. */
  readonly redactor: Redactor;
}

/**
 * Runs the steps of a Mount: attributes → parameters → memory → select → fetch (parallel) → convert → templates →
 * answer. All validation comes before the first call to a vault. The answer holds every file, or there is no answer.
 */
async function mount(input: MountInput, journey: Journey): Promise<Answer> {
  const { report, context, redactor } = journey;
  // Many Mounts start and end at the same time: each step runs in a separate turn of the event loop.
  await nextTurn(context.signal);
  checkTargetPath(input.targetPath ?? '');
  const attributes = parseAttributes(input.attributes);
  redactor.learn(() => tokensIn(attributes.tokens));
  report.begun(attributes);
  context.span?.set(podOf(attributes));
  const volume = await readVolume(input, attributes, journey);
  const requestBytes = input.attributes.length + input.secrets.length;
  const size = { vaultUrl: volume.vaultUrl, objects: volume.objects.length, requestBytes };
  await inSpan(context.span, 'wait for memory', () => context.memory.begin(size, context.signal));
  await nextTurn(context.signal);
  const { made, unwritten, absent } = await makeFiles(volume, journey);
  context.memory.converted(made.reduce((sum, { file }) => sum + file.contents.length, 0));
  await nextTurn(context.signal);
  const isEmpty = absent.length > 0 && made.length === 0 && volume.literals.length === 0;
  const literals = isEmpty && report.hadFiles ? [emptiedMark(absent)] : volume.literals;
  return assembleAnswer([...made, ...literals.map(fileOfLiteral)], unwritten, isEmpty);
}

interface Files extends Pick<Converted, 'made' | 'unwritten'> {
  /** The objects that may give no file, because they, or all parts of them, are absent. */
  readonly absent: readonly ObjectSpec[];
}

/**
 * Completes the identity, and selects, reads and converts the objects. When it returns, nothing refers to the values any
 * more.
 */
async function makeFiles(manifest: VolumeSpec, journey: Journey): Promise<Files> {
  const { certificatePolicy, clock, telemetry, noted, contents, report, context, vaults } = journey;
  const { span } = context;
  const volume = await inSpan(span, 'complete identity', (own) =>
    completeIdentity(manifest, journey, { ...context, span: own }),
  );
  const readerOf = openVaults(volume, vaults);
  const { objects, unmatched } = await expandSelections(volume, readerOf, context);
  await context.memory.grow(objects.length - volume.objects.length, context.signal);
  const dates = { clock, telemetry, log: report.log, noted };
  const fetched = [...(await fetchObjects(objects, readerOf, { ...context, dates })), ...unmatched];
  await nextTurn(context.signal);
  const how = { vaultName: volume.vaultName, ...dates, certificatePolicy, contents, signal: context.signal };
  const converted = await inSpan(span, 'convert', () => convertObjects(fetched, how));
  const { templates = [] } = volume;
  const templated = await inSpan(templates.length > 0 ? span : undefined, 'render templates', () =>
    renderTemplates(templates, converted.objects, context.signal),
  );
  report.converted(fetched);
  span?.set({ 'akv_csi.objects': fetched.length, 'akv_csi.files': converted.made.length + templated.length });
  // Objects whose parts are all optional give no file while none of them is there.
  const absent = fetched.filter(({ missing, object }) => missing !== undefined || object.content.kind === 'parts');
  const made = [...converted.made, ...templated];
  return { made, unwritten: converted.unwritten, absent: absent.map(({ object }) => object) };
}

/** Returns the handler of the Mount call: {@link mount} within the caller's time, reported in log and metrics. */
export function createMount(deps: MountDeps): MountHandler {
  const { clock, sweeper, budget = new MemoryBudget(Number.POSITIVE_INFINITY) } = deps;
  const shared = {
    journal: new VersionLog(),
    noted: new LogOnce(),
    names: new VolumeNames(),
    contents: new CertificateCache(sweeper),
    remember: rememberTexts(),
  };
  let mounts = 0;

  return async (input, call) => {
    const redactor = new Redactor();
    redactor.learn(() => deps.confidential ?? []);
    const log = redactor.log(deps.log);
    const { span } = call;
    const { targetPath } = input;
    const report = new MountReport({ ...deps, ...shared, log, targetPath, traceId: span?.traceId });
    const progress = new Progress(clock);
    const snapshot = new Snapshot(clock);
    const { signal, deadlineAt, hasty, dispose } = startBudget(call, { clock, progress });
    const memory = new MountMemory(budget, clock);
    const context = { signal, deadlineAt, hasty, progress, snapshot, mountId: ++mounts, memory, span };
    try {
      const answer = await abortable(mount(input, { ...deps, ...shared, report, redactor, context }), signal);
      const note = report.delivered(answer, snapshot);
      return { ...answer, note, memory: { bytes: answer.bytes, release: () => memory.close() } };
    } catch (thrown) {
      const cause = explained(asProviderError(thrown), snapshot);
      const waited = cause.code === 'ERR_TIMEOUT' && progress.current().length === 0 ? memory.refusal() : undefined;
      memory.close();
      const error = redactor.error(waited ?? cause);
      report.failed(error);
      throw error;
    } finally {
      dispose();
    }
  };
}

/** Names the pod of a Mount for its span. */
function podOf({ pod, secretProviderClass }: Attributes): SpanAttributes {
  return {
    'k8s.namespace.name': pod.namespace,
    'k8s.pod.name': pod.name,
    'k8s.pod.uid': pod.uid,
    'akv_csi.secret_provider_class': secretProviderClass,
  };
}

/** Returns the error of a Mount. If its time ran out, the error says why a read had no last known value to end with. */
function explained(error: ProviderError, { lacking }: Snapshot): ProviderError {
  return error.code === 'ERR_TIMEOUT' && lacking !== undefined ? withReason(error, lacking) : error;
}

async function readVolume(input: MountInput, attributes: Attributes, journey: Journey): Promise<VolumeSpec> {
  const { defaults, readCloudFile, servedModes, developer, overrides, accounts } = journey;
  const { clock, report, remember, redactor, context } = journey;
  const secret = parseNodePublishSecret(input.secrets);
  redactor.learn(() => credentialsIn(secret));
  const mode = parsePermission(input.permission);
  const facts = { secret, mode, now: clock.wall(), accountLookup: accounts !== undefined, developer };
  const request = { ...facts, ...(servedModes === undefined ? {} : { servedModes }) };
  const { span } = context;
  const parsed = await inSpan(span, 'parse manifest', () =>
    parseWithCloudFile(attributes, { defaults, request, remember }, readCloudFile),
  );
  if (overrides !== undefined) {
    await inSpan(span, 'check overrides', (own) =>
      refuseOverrides(attributes, parsed, overrides, { ...context, span: own }),
    );
  }
  const { findings, volume } = parsed;
  report.parsed(findings.all, volume);
  const error = findingsError(findings);
  if (error !== undefined) throw error;
  if (volume === undefined) throw new Error('parameters without findings gave no volume');
  return volume;
}
