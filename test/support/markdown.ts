/**
 * Reads the project's Markdown files for the tests that compare them with the code: sections, tables, code blocks, links.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Directory of the project. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Text of a file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Files of the project that match a pattern, relative to its directory: those git knows, and new ones that it does not ignore. */
export function projectFiles(pattern: string): readonly string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', `:(glob)${pattern}`];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n');
  return listed.filter((path) => path !== '' && existsSync(join(root, path)));
}

/** Markdown files of the project. */
export function markdownFiles(): readonly string[] {
  return projectFiles('**/*.md');
}

/** The part of a page below a heading, up to the next heading of any level. Throws: an `Error` if there is no such heading. */
export function section(page: string, heading: string): string {
  const found = textOf(page)
    .split(/^#+ /m)
    .find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`${page} has no heading "${heading}"`);
  return found;
}

/** The rows of all tables of a text, split into cells, without the head rows. A pipe in a cell is written `\|`. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const isRow = line.startsWith('| ') && !isRule(line) && !isRule(lines[index + 1] ?? '');
    return isRow
      ? [
          line
            .split(/(?<!\\)\|/)
            .slice(1, -1)
            .map((cell) => cell.trim()),
        ]
      : [];
  });
}

function isRule(line: string): boolean {
  return /^(\| --- )+\|$/.test(line);
}

/** Names in backticks of the first column of all tables of a text. */
export function firstColumn(text: string): readonly string[] {
  return tableRows(text).flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

/** Code blocks of a language in a text. */
export function codeBlocks(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);
}

/** Targets of a page's links that lead to files or headings of the project, as they are written. */
export function links(page: string): readonly string[] {
  const text = textOf(page).replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}
