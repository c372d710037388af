// The compiled helper under the path by which scripts outside of this repository import it; `npm run build` makes it.
export { openOwnerBrowser } from '../build/test/support/owner-browser.js';
