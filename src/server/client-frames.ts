/**
 * Reads the frames of a client before the HTTP/2 server gets them. It pins authorities, counts unfinished requests, and
 * takes over flow control and header compression, so that the server makes whole answers and `answers.ts` may reorder
 * them. `connection.ts` calls it. It refuses nothing: frames that break the protocol pass to the server.
 */

import { type Answers, DEFAULT_WINDOW, MAX_WINDOW } from './answers.ts';
import { authorityPin } from './authority.ts';
import {
  FRAME_HEADER_BYTES,
  type FrameDecision,
  type FrameHead,
  type FrameVisitor,
  FrameWalk,
  frameFlag,
  frameType,
  MAX_FRAME_BYTES,
  makeFrame,
  readHead,
} from './frames.ts';
import type { UnfinishedRequests } from './requests.ts';

const PREFACE_BYTES = 24;
/** Identifier and value (RFC 9113 section 6.5.1). */
const SETTING_BYTES = 6;
const HEADER_TABLE_SIZE = 1;
const INITIAL_WINDOW_SIZE = 4;

/** The receivers of the events of {@link clientWalk}. */
export interface ClientListeners {
  readonly answers: Answers;
  readonly requests: UnfinishedRequests;
  /** The client answered a {@link roomPing}: it has processed everything that was sent before. */
  ponged(): void;
}

const ROOM_PING = Buffer.from('akv room', 'latin1');

/** A ping that this program sends and the HTTP/2 server does not see. */
export function roomPing(): Buffer {
  return makeFrame({ type: frameType.ping, flags: 0, streamId: 0 }, ROOM_PING);
}

/** Walks the frames that the client sends. */
export function clientWalk({ answers, requests, ponged }: ClientListeners): FrameWalk {
  const pin = authorityPin();
  const settings = settingsVisitor(answers);
  return new FrameWalk(PREFACE_BYTES, (input) => {
    const head = readHead(input);
    const { type, flags, streamId, length } = head;
    switch (type) {
      case frameType.headers: {
        const visit = pin(input);
        if (visit.kind !== 'replace') return visit;
        answers.open(streamId);
        if (flags & frameFlag.endStream) requests.end(streamId);
        else requests.open(streamId);
        return visit;
      }
      case frameType.continuation:
        return pin(input);
      case frameType.data:
        if (flags & frameFlag.endStream) requests.end(streamId);
        else requests.receive(streamId, length);
        return { kind: 'pass' };
      case frameType.rstStream:
        answers.drop(streamId);
        requests.end(streamId);
        return { kind: 'pass' };
      case frameType.settings:
        return settings(input);
      case frameType.windowUpdate:
        return readWindowUpdate(input, head, answers);
      case frameType.ping:
        return readPing(input, head, ponged);
      default:
        return { kind: 'pass' };
    }
  });
}

/** Passes the initial window to `answers`; the HTTP/2 server gets the largest window and no header table instead. */
function settingsVisitor(answers: Answers): FrameVisitor {
  let first = true;
  return (input) => {
    const { length, flags, streamId } = readHead(input);
    if (flags & frameFlag.ack || streamId !== 0 || length % SETTING_BYTES !== 0 || length > MAX_FRAME_BYTES) {
      return { kind: 'pass' };
    }
    const bytes = FRAME_HEADER_BYTES + length;
    if (input.length < bytes) return { kind: 'incomplete', bytes };
    const kept = readSettings(input.subarray(FRAME_HEADER_BYTES, bytes), answers);
    if (first) kept.push(setting(HEADER_TABLE_SIZE, 0), setting(INITIAL_WINDOW_SIZE, MAX_WINDOW));
    const by = [makeFrame({ type: frameType.settings, flags, streamId }, Buffer.concat(kept))];
    if (first) by.push(windowUpdate(MAX_WINDOW - DEFAULT_WINDOW));
    first = false;
    return { kind: 'replace', bytes, by };
  };
}

/** Passes the initial window to `answers`. Returns the settings that go to the HTTP/2 server unchanged. */
function readSettings(payload: Buffer, answers: Answers): Buffer[] {
  const kept: Buffer[] = [];
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const identifier = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (identifier === INITIAL_WINDOW_SIZE && value <= MAX_WINDOW) answers.setInitialWindow(value);
    else if (identifier !== HEADER_TABLE_SIZE) kept.push(payload.subarray(at, at + SETTING_BYTES));
  }
  return kept;
}

/** Passes the window update to `answers`; the HTTP/2 server is told that the client has read everything. */
function readWindowUpdate(input: Buffer, { length, streamId }: FrameHead, answers: Answers): FrameDecision {
  const bytes = FRAME_HEADER_BYTES + length;
  if (length !== 4 || streamId > answers.newest) return { kind: 'pass' };
  if (input.length < bytes) return { kind: 'incomplete', bytes };
  const increment = input.readUInt32BE(FRAME_HEADER_BYTES) & MAX_WINDOW;
  if (increment === 0) return { kind: 'pass' };
  answers.grant(streamId, increment);
  const made = streamId === 0 ? answers.takeMade() : 0;
  return { kind: 'replace', bytes, by: made > 0 ? [windowUpdate(made)] : [] };
}

function readPing(input: Buffer, { flags, length }: FrameHead, ponged: () => void): FrameDecision {
  if (!(flags & frameFlag.ack) || length !== ROOM_PING.length) return { kind: 'pass' };
  const bytes = FRAME_HEADER_BYTES + length;
  if (input.length < bytes) return { kind: 'incomplete', bytes };
  if (!input.subarray(FRAME_HEADER_BYTES, bytes).equals(ROOM_PING)) return { kind: 'pass' };
  ponged();
  return { kind: 'replace', bytes, by: [] };
}

function setting(identifier: number, value: number): Buffer {
  const entry = Buffer.alloc(SETTING_BYTES);
  entry.writeUInt16BE(identifier, 0);
  entry.writeUInt32BE(value, 2);
  return entry;
}

/** A window update of the whole connection. */
function windowUpdate(bytes: number): Buffer {
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(bytes, 0);
  return makeFrame({ type: frameType.windowUpdate, flags: 0, streamId: 0 }, increment);
}
