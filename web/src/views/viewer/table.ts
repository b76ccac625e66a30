import Papa from 'papaparse';

export interface Table {
  head: string[];
  rows: string[][];
  /** How many columns the widest row has. */
  columns: number;
}

/** Rows of values separated by commas, semicolons, tabs or bars; by which of them, the text itself shows. */
export function parseTable(text: string, options: { tabs: boolean; cut: boolean }): Table {
  // Spreadsheet programs write the separator into the first line.
  const told = text.match(/^sep=(.)\r?\n/);
  const body = told ? text.slice(told[0].length) : text;
  const delimiter = told?.[1] ?? (options.tabs ? '\t' : '');
  const { data } = Papa.parse<string[]>(body, { delimiter, skipEmptyLines: 'greedy' });
  // The last row was cut somewhere, perhaps within a number.
  if (options.cut && data.length > 1) data.pop();
  const columns = data.reduce((most, row) => Math.max(most, row.length), 0);
  const [head = [], ...rows] = data;
  return { head, rows, columns };
}

const SAMPLE = 200;
const NARROWEST = 4;
const WIDEST = 42;

/** How wide each column should be, in letters, by what its first rows hold. */
export function widthsOf({ head, rows }: Table, columns: number): number[] {
  const looked = rows.slice(0, SAMPLE);
  // Heads are written in bold, which is wider.
  return Array.from({ length: columns }, (_, column) =>
    looked.reduce(
      (most, row) => Math.min(WIDEST, Math.max(most, row[column]?.length ?? 0)),
      Math.min(WIDEST, Math.max(NARROWEST, Math.ceil((head[column]?.length ?? 0) * 1.2) + 1)),
    ),
  );
}
