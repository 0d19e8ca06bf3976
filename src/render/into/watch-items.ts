/**
 * Reads what a pod wants to be done when the files of its volumes change: the annotation `akv-csi/watch`. Called by
 * watch-container.ts. Refuses what the command `watch` would refuse.
 */

import { quote } from '../../base/words.ts';

/** What is to be done: a signal to processes, and requests. */
export interface WatchTasks {
  /** Such as `HUP`. */
  readonly signal: string;
  readonly processes: readonly string[];
  readonly method: string;
  readonly urls: readonly string[];
}

/** The tasks of a text, and the mistakes in it. */
export interface ParsedTasks {
  readonly tasks: WatchTasks;
  readonly mistakes: readonly string[];
}

/** The limit of items; `watch` takes as many processes, and as many URLs. */
const MAX_ITEMS = 16;
const MAX_LENGTH = 8 * 1024;
const SIGNALS = ['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'ALRM', 'CONT', 'WINCH', 'IO', 'PWR'];
const METHOD = /^[A-Z]{1,20}$/;
const FORM = '[SIGNAL] PROCESS or [METHOD] URL, such as "HUP mosquitto" or "POST http://localhost:9090/-/reload"';

type Task =
  | { readonly signal: string; readonly process: string }
  | { readonly method: string; readonly url: string }
  | { readonly problem: string };

/** Reads items that are separated by commas or line breaks. */
export function parseTasks(text: string): ParsedTasks {
  const items = text
    .slice(0, MAX_LENGTH)
    .split(/[,\r\n]/)
    .flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
  const tasks = items.slice(0, MAX_ITEMS).map(readTask);
  const signals = distinct(tasks.flatMap((task) => ('signal' in task ? [task.signal] : [])));
  const methods = distinct(tasks.flatMap((task) => ('method' in task ? [task.method] : [])));
  const mistakes = tasks.flatMap((task) => ('problem' in task ? [task.problem] : []));
  if (text.length > MAX_LENGTH) mistakes.push(`has ${text.length} characters; the limit is ${MAX_LENGTH}`);
  if (items.length === 0) mistakes.push(`holds no item; the form is ${FORM}`);
  if (items.length > MAX_ITEMS) mistakes.push(`holds ${items.length} items; the limit is ${MAX_ITEMS}`);
  if (signals.length > 1)
    mistakes.push(`names several signals (${signals.join(', ')}); all processes get the same one`);
  if (methods.length > 1)
    mistakes.push(`names several methods (${methods.join(', ')}); all requests have the same one`);
  return {
    tasks: {
      signal: signals[0] ?? 'HUP',
      processes: distinct(tasks.flatMap((task) => ('process' in task ? [task.process] : []))),
      method: methods[0] ?? 'POST',
      urls: distinct(tasks.flatMap((task) => ('url' in task ? [task.url] : []))),
    },
    mistakes,
  };
}

function readTask(item: string): Task {
  const [last = '', first, more] = item.split(/\s+/).toReversed();
  const task = more === undefined ? taskOf(last, first) : { problem: `the form is ${FORM}` };
  return 'problem' in task ? { problem: `item ${quote(item)}: ${task.problem}` } : task;
}

function taskOf(target: string, word: string | undefined): Task {
  if (target.includes('://')) return requestOf(target, word ?? 'POST');
  const signal = (word ?? 'HUP').toUpperCase().replace(/^SIG/, '');
  if (SIGNALS.includes(signal)) return { signal, process: target };
  return { problem: `${quote(word ?? '')} is not a signal; use one of ${SIGNALS.join(', ')}` };
}

function requestOf(text: string, method: string): Task {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return { problem: 'the URL has to begin with http:// or https://' };
  if (url.username !== '' || url.password !== '')
    return { problem: 'a password in the URL would be visible to others' };
  return METHOD.test(method) ? { method, url: text } : { problem: `${quote(method)} is not a method such as POST` };
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)];
}
