import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GateRequest, VaultGate, type Verdict } from '../../src/azure/vault/gate.ts';
import { abortable } from '../../src/base/abort.ts';
import { later, systemClock } from '../../src/base/clock.ts';

class Throttled extends Error {
  readonly verdict: Verdict;
  constructor(retryAfterMs?: number) {
    super('429');
    this.verdict = { retryAfterMs };
  }
}

const START = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

function gateWith(random = () => 0.5): VaultGate {
  const judge = (error: unknown) => (error instanceof Throttled ? error.verdict : undefined);
  return new VaultGate({ clock: systemClock, judge, random });
}

/** A vault whose requests are answered when the test says so. */
class Vault {
  readonly gate: VaultGate;
  /** Names of the requests in the order of their starts, with the time of each start. */
  readonly started: { readonly name: string; readonly at: number }[] = [];
  readonly #open = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  readonly failures: unknown[] = [];

  constructor(gate: VaultGate) {
    this.gate = gate;
  }

  names(): string[] {
    return this.started.map(({ name }) => name);
  }

  send(mountId: number | GateRequest, name: string, signal = new AbortController().signal): Promise<void> {
    const request = typeof mountId === 'number' ? this.gate.enter(name, mountId) : mountId;
    return this.gate
      .pass(
        request,
        signal,
        () =>
          new Promise<void>((resolve, reject) => {
            this.started.push({ name, at: Date.now() - START });
            this.#open.set(name, { resolve, reject });
          }),
      )
      .catch((error: unknown) => {
        this.failures.push(error);
      })
      .finally(() => this.gate.leave(request));
  }

  async answer(name: string, error?: Error): Promise<void> {
    const request = this.#open.get(name);
    this.#open.delete(name);
    if (error === undefined) request?.resolve();
    else request?.reject(error);
    await vi.advanceTimersByTimeAsync(0);
  }

  /** Answers all requests in progress. Returns their number. */
  async answerAll(): Promise<number> {
    const names = [...this.#open.keys()];
    for (const name of names) this.#open.get(name)?.resolve();
    this.#open.clear();
    await vi.advanceTimersByTimeAsync(0);
    return names.length;
  }
}

function sendMany(vault: Vault, mountId: number, count: number): void {
  for (let i = 0; i < count; i++) void vault.send(mountId, `${mountId}/${i}`);
}

it('is still owed an answer when nobody waits any more, so that its silence is noted', async () => {
  const controller = new AbortController();
  const gate = gateWith();
  const request = gate.enter('a', 1);
  const passed = gate.pass(request, controller.signal, () => abortable(new Promise(() => {}), controller.signal));
  controller.abort(new Error('aborted'));
  await expect(passed).rejects.toThrow('aborted');
  expect(request.unansweredSince).toBeDefined();
});

describe('the gate of a vault', () => {
  it('is in use between two tries of a request, so that its vault is not forgotten', async () => {
    const gate = gateWith();
    const request = gate.enter('a', 1);
    await gate.pass(request, new AbortController().signal, async () => {});
    expect(gate.idle).toBe(false);
    gate.leave(request);
    expect(gate.idle).toBe(true);
  });

  it('lets 32 requests through at a time', async () => {
    const vault = new Vault(gateWith());
    sendMany(vault, 1, 70);
    expect(await vault.answerAll()).toBe(32);
    expect(await vault.answerAll()).toBe(32);
    expect(await vault.answerAll()).toBe(6);
    expect(vault.gate.idle).toBe(true);
  });

  it('gives Mounts turns: one with two objects does not wait for one with two hundred', async () => {
    const vault = new Vault(gateWith());
    sendMany(vault, 1, 200);
    sendMany(vault, 2, 2);
    await vault.answer('1/0');
    await vault.answer('1/1');
    await vault.answer('1/2');
    await vault.answer('1/3');
    expect(vault.names().slice(32)).toEqual(['1/32', '2/0', '1/33', '2/1']);
  });

  it('starts a request at the first turn of any Mount that waits for it', async () => {
    const vault = new Vault(gateWith());
    sendMany(vault, 1, 150);
    void vault.send(vault.gate.enter('shared', 1), 'shared');
    vault.gate.join('shared', 2);
    vault.gate.join('shared', 2);
    await vault.answer('1/0');
    await vault.answer('1/1');
    expect(vault.names().slice(32)).toEqual(['1/32', 'shared']);
    await vault.answer('shared');
    while ((await vault.answerAll()) > 0);
    expect(vault.names().filter((name) => name === 'shared')).toHaveLength(1);
    expect(vault.gate.idle).toBe(true);
  });

  it('forgets a request whose caller goes before its turn', async () => {
    const vault = new Vault(gateWith());
    sendMany(vault, 1, 32);
    const controller = new AbortController();
    void vault.send(2, 'gone', controller.signal);
    controller.abort(new Error('caller left'));
    await vault.answerAll();
    expect(vault.names()).not.toContain('gone');
    expect(vault.failures).toMatchObject([{ message: 'caller left' }]);
    expect(vault.gate.idle).toBe(true);
  });

  it('does not start a request whose caller is gone already', async () => {
    const vault = new Vault(gateWith());
    await vault.send(1, 'gone', AbortSignal.abort(new Error('caller left')));
    expect(vault.started).toEqual([]);
    expect(vault.gate.idle).toBe(true);
  });
});

describe('after a 429 the gate', () => {
  it('starts nothing before Retry-After is over, then one, then one more with each answer', async () => {
    const vault = new Vault(gateWith(() => 0));
    sendMany(vault, 1, 100);
    await vault.answer('1/0', new Throttled(10_000));
    await vault.answerAll();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(vault.started).toHaveLength(32);
    await vi.advanceTimersByTimeAsync(1);
    const rounds = [await vault.answerAll(), await vault.answerAll(), await vault.answerAll(), await vault.answerAll()];
    expect(rounds).toEqual([1, 2, 4, 8]);
  });

  it('is neither widened nor kept closed by answers to what was under way before it', async () => {
    const vault = new Vault(gateWith(() => 0));
    sendMany(vault, 1, 100);
    await vault.answer('1/0', new Throttled(1_000));
    await vi.advanceTimersByTimeAsync(500);
    await vault.answer('1/1', new Throttled(60_000));
    await vault.answer('1/2', new Throttled());
    for (let i = 3; i < 25; i++) await vault.answer(`1/${i}`);
    await vi.advanceTimersByTimeAsync(500);
    expect(vault.names().slice(32)).toEqual(['1/32']);
    for (let i = 25; i < 32; i++) await vault.answer(`1/${i}`);
    expect(vault.names().slice(32)).toEqual(['1/32']);
    await vault.answer('1/32');
    expect(vault.names().slice(33)).toEqual(['1/33', '1/34']);
  });

  it('comes back although a request from before the pause hangs', async () => {
    const vault = new Vault(gateWith(() => 0));
    sendMany(vault, 1, 60);
    await vault.answer('1/0', new Throttled(1_000));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vault.names().slice(32)).toEqual(['1/32']);
  });

  it.each([
    ['nothing', 0, 250],
    ['a year', 365 * 24 * 3600_000, 300_000],
  ])('that asks for %s, stays closed for a bounded time', async (_, retryAfterMs, closedMs) => {
    const vault = new Vault(gateWith(() => 0));
    void vault.send(1, 'first');
    await vault.answer('first', new Throttled(retryAfterMs));
    void vault.send(1, 'second');
    await vi.advanceTimersByTimeAsync(closedMs - 1);
    expect(vault.names()).toEqual(['first']);
    await vi.advanceTimersByTimeAsync(1);
    expect(vault.names()).toEqual(['first', 'second']);
  });

  it('that asks for too little again and again, stays closed longer each time', async () => {
    const vault = new Vault(gateWith(() => 0));
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      void vault.send(1, `${i}`);
      await vault.answer(`${i}`, new Throttled(0));
      pauses.push(vault.gate.pauseMs);
      await vi.advanceTimersByTimeAsync(vault.gate.pauseMs);
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000]);
  });

  it('spreads the nodes: it comes back later than told by a tenth at most, never earlier', async () => {
    const vault = new Vault(gateWith(() => 0.999));
    void vault.send(1, 'first');
    await vault.answer('first', new Throttled(1_000));
    expect(vault.gate.pauseMs).toBeGreaterThan(1_000);
    expect(vault.gate.pauseMs).toBeLessThanOrEqual(1_100);
  });

  it('probes twice at most in the ten seconds in which Key Vault counts, whatever the jitter', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), async (stream) => {
        vi.setSystemTime(START);
        const vault = new Vault(gateWith(() => stream.next().value));
        for (let i = 0; i < 30; i++) void vault.send(i, `${i}`);
        await vault.answer('0', new Throttled());
        const before = vault.started.length;
        for (let ms = 0; ms < 10_000; ms += 250) {
          await vi.advanceTimersByTimeAsync(250);
          for (const { name } of vault.started.slice(before)) await vault.answer(name, new Throttled());
          if (vault.started.length - before < 3) void vault.send(99, `again ${ms}`);
        }
        expect(vault.started.length - before).toBeLessThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
  });

  it('ends the wait of those whose deadline comes first, with what the vault said, and of nobody else', async () => {
    const vault = new Vault(gateWith(() => 0));
    const start = systemClock.steady();
    const at = (ms: number) => ({ deadlineAt: later(start, ms), hasty: false });
    const left: [number, unknown][] = [];
    const wait = (ms: number) => {
      vault.gate.patiently(at(ms), new Promise(() => {})).catch((reason: unknown) => left.push([ms, reason]));
    };
    wait(5_000);
    wait(20_000);
    void vault.send(1, 'first');
    const refusal = new Throttled(10_000);
    await vault.answer('first', refusal);
    expect(left.map(([ms]) => ms)).toEqual([5_000]);
    expect(left[0]?.[1]).toBe(refusal);
    expect(() => vault.gate.refuseLongPause(at(6_000))).toThrow(refusal);
    expect(() => vault.gate.refuseLongPause(at(12_000))).not.toThrow();
    wait(6_000);
    wait(12_000);
    await vi.advanceTimersByTimeAsync(10_000);
    wait(10_001);
    await vi.advanceTimersByTimeAsync(0);
    expect(left.map(([ms]) => ms)).toEqual([5_000, 6_000]);
  });

  it('serves everybody in the end, never more than 32 of one round at a time', async () => {
    const request = fc.record({
      mount: fc.nat(5),
      outcome: fc.constantFrom('ok', 'ok', 'ok', 'fault', 'throttled', 'throttled for 1 s'),
      aborts: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 80 }), async (requests) => {
        const gate = gateWith(() => 0.5);
        let running = 0;
        let most = 0;
        let settled = 0;
        const all = requests.map(({ mount, outcome, aborts }, index) => {
          const controller = new AbortController();
          if (aborts) setTimeout(() => controller.abort(), index);
          const work = async () => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setTimeout(resolve, 20));
            running--;
            if (outcome === 'fault') throw new Error('500');
            if (outcome === 'throttled') throw new Throttled();
            if (outcome === 'throttled for 1 s') throw new Throttled(1_000);
          };
          const request = gate.enter(`${index}`, mount);
          return gate
            .pass(request, controller.signal, work)
            .catch(() => {})
            .finally(() => {
              settled++;
              gate.leave(request);
            });
        });
        await vi.advanceTimersByTimeAsync(3_600_000);
        expect(settled).toBe(all.length);
        expect(most).toBeLessThanOrEqual(32);
        expect(gate.idle).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
