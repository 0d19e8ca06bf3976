/**
 * Reads the project's Markdown files: sections, tables, code blocks and links. Tests compare them with the code.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Directory of the project. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the text of a file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/**
 * Returns the files of the project that match a pattern, relative to its directory: files in git, and new files that
 * git does not ignore.
 */
export function projectFiles(pattern: string): readonly string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', `:(glob)${pattern}`];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n');
  return listed.filter((path) => path !== '' && existsSync(join(root, path)));
}

/** Returns the version of the project. */
export function projectVersion(): string {
  return (JSON.parse(textOf('package.json')) as { readonly version: string }).version;
}

/** Returns the change log before a release, also where the project is a released commit. */
export function unreleasedChanges(): string {
  return textOf('CHANGELOG.md').replace(/^## .*$/m, '## 1.2.3 — unreleased');
}

/** Returns the Markdown files of the project. */
export function markdownFiles(): readonly string[] {
  return projectFiles('**/*.md');
}

/**
 * Returns the part of a page below a heading, up to the next heading of any level. Throws: an `Error` if there is no
 * such heading.
 */
export function section(page: string, heading: string): string {
  const found = textOf(page)
    .split(/^#+ /m)
    .find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`${page} has no heading "${heading}"`);
  return found;
}

/** Returns the headings of a page, of any level, in order. */
export function headings(page: string): readonly string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title);
}

/**
 * Returns the rows of all tables in a text, split into cells, without header rows. A pipe in a cell is written `\|`.
 */
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

/** Returns the names in backticks in the first column of all tables in a text. */
export function firstColumn(text: string): readonly string[] {
  return tableRows(text).flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

/** Returns the code blocks of a language in a text, those in lists without their indentation. */
export function codeBlocks(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^( *)\`\`\`${language}\n(.*?)^\\1\`\`\``, 'gms'))].map(
    ([, indent, block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** Returns the lines of the shell blocks in a text. A line that ends in a backslash is one with the next. */
export function shellLines(text: string): readonly string[] {
  return codeBlocks(text, 'sh').flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
}

/** Returns the targets of a page's links to files or headings of the project, unchanged. */
export function links(page: string): readonly string[] {
  const text = textOf(page).replace(/^( *)```.*?^\1```/gms, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Returns the names in JSON, at any depth, that no table of the section names in backticks. */
export function undocumentedFields(json: unknown, page: string, heading: string): readonly string[] {
  const cells = tableRows(section(page, heading)).flat().join(' ');
  const named = new Set([...cells.matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => text.split(/[.[\]]+/)));
  const fields = (value: unknown): readonly string[] => {
    if (Array.isArray(value)) return value.flatMap(fields);
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => [name, ...fields(inner)]);
  };
  return fields(json).filter((name) => !named.has(name));
}
