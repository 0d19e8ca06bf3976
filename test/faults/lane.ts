/**
 * Puts faults on one outbound call of the built provider, one fault after the other, and observes three situations of each:
 * a first Mount, a repeat after a good Mount, and many pods at once. Checks what holds for every fault.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { type PublishRequest, publish } from '../../src/driver/publish.ts';
import { BYSTANDER, BYSTANDER_CALL, type Call, type Cell, cellOf, publishRequestOf } from './calls.ts';
import { type Fault, statusText } from './faults.ts';
import { confidentialTexts, messageProblems, NOT_FINAL } from './invariants.ts';
import { type Cells, openSurroundings, type Surroundings } from './surroundings.ts';
import { filesIn } from './volume.ts';

/** The situations of the columns of docs/faults.md. */
const SITUATIONS = ['first', 'repeat', 'many'] as const;

/** The outcome of each situation, such as `UNKNOWN (ERR_VAULT)` or `new value`. */
export type Outcomes = Readonly<Record<(typeof SITUATIONS)[number], string>>;

/** What a lane saw. */
export interface LaneReport {
  /** By the name of the fault. */
  readonly outcomes: Readonly<Record<string, Outcomes>>;
  /** Everything that must not happen, in words. */
  readonly problems: readonly string[];
}

/** Pods that mount at once. */
const PODS = 6;
/** Life of the tokens of calls whose repeat needs a new one, in seconds. */
const SHORT_LIFE_S = 4;
/** Longer than the provider takes a copy of a class without asking. */
const CLASS_AGE_MS = 31_000;
/** Longer than the provider uses an address without asking, which has a TTL of 0. */
const ADDRESS_MS = 1_100;
/** Time of the Mounts that have to succeed. */
const GOOD_MS = 100_000;
/** Good Mounts under way at the same time. */
const AT_ONCE = 8;

/** A Mount that ended. */
interface Ended {
  readonly outcome: string;
  readonly message: string;
  readonly code: number;
}

/** Runs the faults of a call. */
export async function runCall(call: Call, faults: readonly Fault[]): Promise<LaneReport> {
  if (call.background !== true) return runLane(call, faults);
  // A provider reads the documents of an issuer once, so that each fault needs one of its own.
  const reports: LaneReport[] = [];
  await inTurns(faults, async (fault) => {
    reports.push(await runLane(call, [fault]));
  });
  return {
    outcomes: Object.assign({}, ...reports.map(({ outcomes }) => outcomes)),
    problems: reports.flatMap(({ problems }) => problems),
  };
}

async function runLane(call: Call, faults: readonly Fault[]): Promise<LaneReport> {
  const undos: (() => void | Promise<void>)[] = [];
  try {
    const lane = new Lane(await openSurroundings(call, faults, (undo) => undos.push(undo)));
    if (call.background !== true) await lane.prepare();
    const outcomes: Record<string, Outcomes> = {};
    for (const fault of faults) outcomes[fault.name] = await lane.run(fault);
    await lane.finish();
    return { outcomes, problems: lane.problems };
  } finally {
    for (const undo of undos.reverse()) await undo();
  }
}

class Lane {
  readonly problems: string[] = [];
  readonly #parts: Surroundings;
  readonly #tokens: string[] = [];
  /** Files of the good Mounts, by number of the cell. */
  readonly #good = new Map<number, string>();
  #mounts = 0;
  /** Mounts with last known values during faults. */
  #lastKnown = 0;

  constructor(parts: Surroundings) {
    this.#parts = parts;
  }

  /** Makes the good Mounts of the repeats, changes what they read, and waits until a repeat needs the call. */
  async prepare(): Promise<void> {
    const { call, cells, emulator } = this.#parts;
    const repeats = [...cells.values()].map(({ repeat }) => repeat);
    const short = call.after === 'its token ends';
    if (short) for (const { tenant } of repeats) emulator.setTokenLifetime(tenant, SHORT_LIFE_S);
    await inTurns(repeats, async (cell) => {
      await this.#mustMount(cell, 'the good Mount before a repeat');
      this.#good.set(cell.number, filesIn(this.#target(cell)));
      await this.#change(cell);
    });
    if (short) await sleep(SHORT_LIFE_S * 1000 + 500);
    if (call.after === 'its class is asked for again') await sleep(CLASS_AGE_MS);
  }

  /** Puts a fault on the call, and observes the three situations side by side. */
  async run(fault: Fault): Promise<Outcomes> {
    const { call, cells, relay, provider } = this.#parts;
    const three = cells.get(fault.name);
    if (three === undefined) throw new Error(`no cells of ${fault.name}`);
    await this.#begin(fault, three);
    if (call.background) await this.prepare();
    const mounts = {
      first: [this.#mount(three.first, 'first', fault)],
      repeat: [this.#mount(three.repeat, '', fault)],
      many: Array.from({ length: PODS }, (_, i) => this.#mount(three.many, `pod-${i}`, fault)),
    };
    const everything = Promise.all(Object.values(mounts).flat());
    // The other Mounts come while the host has its fault.
    let over = false;
    void everything.then(() => {
      over = true;
    });
    while (relay.hits() === 0 && !over) await sleep(10);
    await this.#mustMount(cellOf(BYSTANDER), `${fault.name}: another Mount meanwhile`);
    await everything;
    const { does } = fault;
    const isUnseen = does.kind === 'name' || (does.kind === 'connection' && does.mode === 'refused');
    if (call.background && !isUnseen) while (relay.hits() === 0) await sleep(10);
    const isMet = isUnseen || relay.hits() > 0;
    if (!isMet) this.problems.push(`${fault.name}: the fault was never met`);
    await this.#end();
    await this.#untilAnswered(three.after, `${fault.name}: another Mount of the host after the fault`);
    const [code] = await provider.health();
    if (code !== 200) this.problems.push(`${fault.name}: the health check answered ${code}`);
    const outcomes = { first: '', repeat: '', many: '' };
    for (const situation of SITUATIONS) {
      const ended = await Promise.all(mounts[situation]);
      for (const one of ended) this.#judge(one, `${fault.name}, ${situation}`, three[situation]);
      outcomes[situation] = [...new Set(ended.map(({ outcome }) => outcome))].sort().join(' / ');
    }
    return outcomes;
  }

  /** Checks that the provider still serves, and that its log tells nothing confidential. */
  async finish(): Promise<void> {
    const { provider, cells, relays } = this.#parts;
    await inTurns([...cells], async ([name, { first }]) => {
      const paused = this.#paused.has(name);
      if (!paused) await this.#mustMount(first, `${name}: a Mount after the fault`);
    });
    const log = provider.output('stdout') + provider.output('stderr');
    const defects = log.split('\n').filter((line) => /Defect|failed unexpectedly/.test(line));
    const told = log.match(/Mounted with last known values.*\bageSeconds=\d+.*\berror=/g)?.length ?? 0;
    if (told < this.#lastKnown) this.problems.push(`${told} log lines for ${this.#lastKnown} last known values`);
    this.problems.push(...defects.map((line) => `a defect in the log: ${line}`));
    const given = [...this.#tokens, ...relays.flatMap(({ authorizations }) => [...authorizations])];
    const all = [cellOf(BYSTANDER), ...[...cells.values()].flatMap((three) => Object.values(three))];
    for (const text of confidentialTexts(all, given)) {
      if (log.includes(text)) this.problems.push(`the log shows ${text}`);
    }
    if (provider.child.exitCode !== null) this.problems.push(`the provider ended: ${provider.child.exitCode}`);
  }

  readonly #paused = new Set<string>();

  async #begin(fault: Fault, three: Cells): Promise<void> {
    const { call, relay, emulator, names } = this.#parts;
    const { does } = fault;
    if (fault.pauses === true) this.#paused.add(fault.name);
    if (does.kind === 'connection') return relay.setMode(does.mode);
    if (does.kind === 'name') {
      await sleep(ADDRESS_MS);
      names.answer = does.answer;
      return relay.setMode('up');
    }
    if (does.kind === 'bytes') return relay.arm({ matches: call.matches, answer: does.answer });
    const { status, headers = {} } = does;
    const { at } = call;
    if (at !== undefined) {
      const body = call.refusals?.[status];
      const action = { kind: 'answer', status, headers, ...(body && { body }) } as const;
      for (const cell of Object.values(three)) emulator.faults.add({ ...at(cell), action });
      return relay.arm({ matches: call.matches });
    }
    const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: statusText(status), code: status };
    relay.arm({
      matches: call.matches,
      answer: ({ response }) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      },
    });
  }

  async #end(): Promise<void> {
    const { relay, emulator, names } = this.#parts;
    names.answer = ['127.0.0.1'];
    emulator.faults.clear();
    await relay.clear();
  }

  /** Mounts a cell during a fault. */
  async #mount(cell: Cell, pod: string, { deadlineMs, either = [] }: Fault): Promise<Ended> {
    const good = this.#good.get(cell.number);
    const targetDir = this.#target(cell, pod);
    return publish(this.#parts.client, { ...this.#request(cell), targetDir, deadlineMs }).then(
      (): Ended => {
        const old = good !== undefined && filesIn(targetDir) === good;
        if (old) this.#lastKnown++;
        return { outcome: old ? 'last known value' : 'new value', message: '', code: 0 };
      },
      (error: Error): Ended => {
        if (filesIn(targetDir) !== (good ?? '')) this.problems.push(`a failed Mount changed files: ${error.message}`);
        const { code, details, metadata } = error.cause as ServiceError;
        const own = metadata.get('akv-csi-error').join();
        const codes = either.includes(own) ? either.join(' or ') : own;
        return { outcome: `${grpcStatus[code]} (${codes})`, message: details, code };
      },
    );
  }

  #judge({ message, code }: Ended, where: string, cell: Cell): void {
    if (NOT_FINAL.includes(code)) this.problems.push(`${where}: ${grpcStatus[code]} is not final: ${message}`);
    if (code === 0) return;
    const { call, relays } = this.#parts;
    if (call.background) this.problems.push(`${where}: failed by a call that no Mount waits for: ${message}`);
    const given = [...this.#tokens, ...relays.flatMap(({ authorizations }) => [...authorizations])];
    for (const text of confidentialTexts([cell], given)) {
      if (message.includes(text)) this.problems.push(`${where}: the message shows ${text}: ${message}`);
    }
    this.problems.push(...messageProblems(message, call.named(cell)).map((text) => `${where}: ${text}: ${message}`));
  }

  /** Waits until the provider asks the host again, which it does not for some seconds after an outage. */
  async #untilAnswered(cell: Cell, where: string): Promise<void> {
    const end = performance.now() + GOOD_MS;
    await this.#mustMount(cell, where);
    const before = filesIn(this.#target(cell));
    await this.#change(cell);
    while (filesIn(this.#target(cell)) === before) {
      if (performance.now() > end) return void this.problems.push(`${where}: the last known value lasts`);
      await sleep(100);
      await this.#mustMount(cell, where);
    }
  }

  /** Mounts a cell whose hosts have no fault. */
  async #mustMount(cell: Cell, where: string): Promise<void> {
    const deadline = performance.now() + GOOD_MS;
    const request = { ...this.#request(cell), targetDir: this.#target(cell), deadlineMs: GOOD_MS };
    for (;;) {
      const failed = await publish(this.#parts.client, request).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (failed === undefined) return;
      // The provider remembers a failure of the API server for some seconds.
      if (cell.number === BYSTANDER || !/the API server/.test(failed) || performance.now() > deadline) {
        this.problems.push(`${where}: ${failed}`);
        return;
      }
      await sleep(500);
    }
  }

  #request(cell: Cell): Omit<PublishRequest, 'targetDir'> {
    const { call, emulator } = this.#parts;
    const isBystander = cell.number === BYSTANDER;
    const request = publishRequestOf(isBystander ? BYSTANDER_CALL : call, cell, (asked) => {
      const token = emulator.issueServiceAccountToken(asked);
      this.#tokens.push(token);
      return token;
    });
    const parameters = { ...request.parameters, ...(isBystander && { cloudEnvFileName: 'direct.json' }) };
    return { ...request, parameters };
  }

  #target({ number }: Cell, pod = ''): string {
    const name = number === BYSTANDER ? `bystander-${this.#mounts++}` : `${number}${pod}`;
    return join(this.#parts.directory, `volume-${name}`);
  }

  /** Changes the object of a cell in its vault. */
  async #change({ vault, value }: Cell): Promise<void> {
    const { call, emulator } = this.#parts;
    const { objectType } = call.object;
    if (objectType === 'key') await emulator.createKey(vault, 's', { kty: 'EC', crv: 'P-256' });
    else if (objectType === 'cert') await emulator.rotateCertificate(vault, 's');
    else emulator.setSecret(vault, 's', `${value}-changed`);
  }
}

/** Runs work for all items, some at the same time. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
