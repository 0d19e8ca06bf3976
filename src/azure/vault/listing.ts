/**
 * Collects the pages of one listing of a vault. The vault reader makes one for each listing that it reads, and
 * `VaultClient` adds one page at a time. A listing that was interrupted by a pause, a fault or a challenge goes on at its
 * page. Refuses to follow a vault to another host or another path, and listings that do not end.
 */

import { isJsonObject } from '../../base/json.ts';
import { BadAnswer } from './bad-answer.ts';
import { refuseElsewhere } from './vault-pipeline.ts';

/** Bounds of a listing. A page has 25 entries, and a vault, or a proxy before it, may link the pages in a circle. */
const MAX_PAGES = 400;
const MAX_LISTING_BYTES = 8 * 1024 * 1024;

/** In place of the entries: the listing has more pages. */
export const MORE_PAGES = Symbol('more pages');

/** One listing while its pages are read. */
export class Listing<T> {
  /** The path of the listing in its vault. */
  readonly path: string;
  readonly #understand: (page: unknown) => readonly T[];
  readonly #entries: T[] = [];
  #next: URL | undefined;
  #pages = 0;
  #length = 0;

  /** `understand` returns the entries of a page. Throws: `BadAnswer`. */
  constructor(path: string, understand: (page: unknown) => readonly T[]) {
    this.path = path;
    this.#understand = understand;
  }

  /** The link to the next page; undefined before the first one. */
  get next(): URL | undefined {
    return this.#next;
  }

  /**
   * Adds the page at `url`: `page` is its JSON, of `length` characters. Returns all entries if it is the last one.
   * Throws: `BadAnswer` if the page is none, if its link cannot be followed, or if there are too many.
   */
  add(url: URL, { page, length }: { readonly page: unknown; readonly length: number }): Entries<T> {
    this.#length += length;
    if (this.#pages === MAX_PAGES || this.#length > MAX_LISTING_BYTES) {
      const most = `${MAX_PAGES} pages or ${MAX_LISTING_BYTES} bytes`;
      throw new BadAnswer(`the vault sent a listing of more than ${most}`);
    }
    const entries = this.#understand(page);
    const next = nextOf(page, url);
    for (const entry of entries) this.#entries.push(entry);
    this.#pages++;
    this.#next = next;
    return next === undefined ? this.#entries : MORE_PAGES;
  }
}

/** All entries of a listing, once its last page is read. */
export type Entries<T> = readonly T[] | typeof MORE_PAGES;

/**
 * Returns the link of a page to the next one; undefined on the last page. Throws: `BadAnswer` if it cannot be followed.
 */
function nextOf(page: unknown, url: URL): URL | undefined {
  const nextLink = isJsonObject(page) ? page.nextLink : undefined;
  if (nextLink === undefined || nextLink === null || nextLink === '') return undefined;
  if (typeof nextLink !== 'string' || !URL.canParse(nextLink, url.href)) {
    throw new BadAnswer('the vault answered 200 with a listing that cannot be read');
  }
  const next = new URL(nextLink, url.href);
  refuseElsewhere(url, next);
  return next;
}
