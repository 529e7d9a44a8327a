/* The reference, from our own files alone: the fonts are the reader's, and what Redoc would fetch elsewhere (a picture at its foot) is not. */
(function () {
  'use strict';
  const ours = (url) => url.startsWith('data:') || new URL(url, location.href).origin === location.origin;
  const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src');
  Object.defineProperty(HTMLImageElement.prototype, 'src', { ...source, set(url) { if (ours(url)) source.set.call(this, url); } });
  const setAttribute = HTMLImageElement.prototype.setAttribute;
  HTMLImageElement.prototype.setAttribute = function (name, value) {
    if (name !== 'src' || ours(value)) setAttribute.call(this, name, value);
  };
  const place = document.getElementById('reference');
  const system = 'system-ui, sans-serif';
  const mono = 'ui-monospace, monospace';
  const options = {
    hideLoading: false,
    nativeScrollbars: true,
    expandResponses: '200,201,202',
    requiredPropsFirst: true,
    theme: {
      colors: { primary: { main: '#0f766e' } },
      typography: { fontFamily: system, headings: { fontFamily: system }, code: { fontFamily: mono } },
    },
  };
  Redoc.init(place.dataset.schema, options, place);
})();
