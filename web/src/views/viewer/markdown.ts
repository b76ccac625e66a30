import DOMPurify from 'dompurify';
import { Marked } from 'marked';
import { t } from '$lib/i18n';
import { highlight } from './highlight';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Marks of HTML within Markdown that are kept, without any attribute. */
const MARKS = new Set(
  'b br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre q s small strong sub summary sup table tbody td th thead tr u ul'.split(
    ' ',
  ),
);

/**
 * HTML within Markdown, down to its harmless marks. The purifier would do it, but the browser already complains of a
 * handler or a style that breaks the page's policy when the purifier parses it.
 */
const plainMarks = (html: string): string =>
  html
    .replace(/<!--[\s\S]*?(-->|$)/g, '')
    .replace(/<(script|style|iframe|object|svg|math|template|textarea|noscript)\b[\s\S]*?(<\/\1\s*>|$)/gi, '')
    .replace(/<(\/?)([a-z][a-z0-9-]*)(?:[^"'>]|"[^"]*"|'[^']*')*(>|$)/gi, (_, closing: string, name: string) =>
      MARKS.has(name.toLowerCase()) ? `<${closing}${name.toLowerCase()}>` : '',
    );

const marked = new Marked({
  gfm: true,
  renderer: {
    code({ text, lang }) {
      const language = lang?.match(/^\S+/)?.[0] ?? '';
      return `<pre><code>${highlight(text, language) ?? escaped(text)}</code></pre>`;
    },
    html: ({ text }) => plainMarks(text),
    // A picture would be fetched from wherever it lies, and so tell that place who reads what. Its words stand for it.
    image({ text }) {
      return `<em>${escaped(text ? t('markdown.image', { text }) : t('markdown.imageUnnamed'))}</em>`;
    },
  },
});

const TAGS = [
  ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'p', 'br', 'hr', 'blockquote', 'pre', 'code', 'span', 'div'],
  ...['ul', 'ol', 'li', 'input', 'a', 'em', 'strong', 'del', 's', 'sub', 'sup', 'kbd', 'mark', 'b', 'i', 'u'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td', 'details', 'summary', 'dl', 'dt', 'dd', 'abbr', 'q', 'small'],
];
const ATTRIBUTES = ['href', 'title', 'align', 'start', 'colspan', 'rowspan', 'checked', 'type', 'class', 'open'];

const purify = DOMPurify(window);
purify.addHook('uponSanitizeAttribute', (_, attribute) => {
  // Only the highlighter's marks: classes of the page would let a text look like a part of it.
  if (attribute.attrName === 'class')
    attribute.keepAttr = /^(hljs-[\w-]+( |$)|[\w]+_( |$))+$/.test(attribute.attrValue);
});
purify.addHook('afterSanitizeAttributes', (element) => {
  if (element instanceof HTMLInputElement) {
    // A task's tick box is for show.
    const ticked = element.hasAttribute('checked');
    for (const { name } of [...element.attributes]) element.removeAttribute(name);
    element.setAttribute('type', 'checkbox');
    element.setAttribute('disabled', '');
    element.setAttribute('aria-label', element.closest('li')?.textContent?.trim().slice(0, 100) || '–');
    if (ticked) element.setAttribute('checked', '');
  }
  if (element.nodeName === 'A') {
    const href = element.getAttribute('href') ?? '';
    if (/^(https?:|mailto:)/i.test(href)) {
      element.setAttribute('target', '_blank');
      element.setAttribute('rel', 'noopener noreferrer nofollow');
    } else {
      // It would lead somewhere below this page's own address, where nothing is.
      element.removeAttribute('href');
    }
  }
});

/** Markdown as elements that can be shown: nothing in them runs, loads or looks like the page itself. */
export function renderMarkdown(text: string): DocumentFragment {
  const html = marked.parse(text, { async: false });
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
