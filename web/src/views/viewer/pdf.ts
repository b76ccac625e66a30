import {
  GlobalWorkerOptions,
  getDocument,
  PasswordResponses,
  type PDFDocumentProxy,
  PDFWorker,
  version,
} from 'pdfjs-dist/legacy/build/pdf.mjs';
import Worker from 'pdfjs-dist/legacy/build/pdf.worker.min.mjs?worker';
import { asApiError, problemOf } from '$lib/api/problem';
import { contentUrl } from '$lib/api/urls';
import { BASE } from '$lib/base';

/** Tables of characters, fonts and a decoder that some PDFs need: loaded one by one when one does (see vite.config.ts). */
const DATA = import.meta.env.PROD ? `${BASE}/assets/pdfjs-${version}` : `${BASE}/node_modules/pdfjs-dist`;
/** Bytes asked for at once: a page seldom needs more than a few of these. */
const CHUNK = 256 * 1024;

GlobalWorkerOptions.workerSrc = 'given to each document';

export interface OpenPdf {
  document: Promise<PDFDocumentProxy>;
  close(): void;
}

/** Opens a PDF, of which only the parts that are looked at are loaded. `ask` is called while its password is wanted. */
export function openPdf(id: string, ask: (wrong: boolean, answer: (password: string) => void) => void): OpenPdf {
  const port = new Worker();
  const worker = PDFWorker.create({ port });
  const task = getDocument({
    url: contentUrl(id),
    worker,
    rangeChunkSize: CHUNK,
    disableAutoFetch: true,
    disableStream: true,
    cMapUrl: `${DATA}/cmaps/`,
    standardFontDataUrl: `${DATA}/standard_fonts/`,
    wasmUrl: `${DATA}/wasm/`,
    // The page's policy lets nothing be compiled at run time.
    useWasm: false,
    isEvalSupported: false,
    enableXfa: false,
  });
  task.onPassword = (answer: (password: string) => void, reason: number) =>
    ask(reason === PasswordResponses.INCORRECT_PASSWORD, answer);
  return {
    document: task.promise.catch(async (thrown) => {
      throw await reasonOf(id, thrown);
    }),
    close() {
      task.destroy().finally(() => {
        worker.destroy();
        port.terminate();
      });
    },
  };
}

/** What the library throws is a status or a complaint about the file; what the server said is asked for once more. */
async function reasonOf(id: string, thrown: unknown): Promise<unknown> {
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'InvalidPDFException' || name === 'FormatError' || name === 'PasswordException') return thrown;
  try {
    const answer = await fetch(contentUrl(id), { headers: { Range: 'bytes=0-0' } });
    if (answer.ok) return thrown;
    return problemOf(answer.status, await answer.json().catch(() => null), (header) => answer.headers.get(header));
  } catch (lost) {
    return asApiError(lost);
  }
}
