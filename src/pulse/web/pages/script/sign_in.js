// -- a link that signs in: `/sign-in#TOKEN` --------------------------------------------------------
// `pulse demo` prints one. What stands behind the # is told to no server and stands in no log. Only
// on the reader's own machine: elsewhere a link could sign somebody in as somebody else.

function signInByLink() {
  const field = document.querySelector("input[name=token]");
  const isHere = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
  if (!field || !isHere || !/^#pt_[\w-]+$/.test(location.hash)) return;
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  field.form.requestSubmit();
}

document.addEventListener("DOMContentLoaded", signInByLink);
// To who is at the page already, the link is no other page.
window.addEventListener("hashchange", signInByLink);
