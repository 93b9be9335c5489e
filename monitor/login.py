"""The page that asks who one is: small, without scripts, and with nothing from elsewhere."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 90vh; margin: 0; padding: 1rem; }
main { width: 100%; max-width: 20rem; }
label, input, button, a { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button, a { padding: .6rem .8rem; border: 1px solid GrayText; border-radius: .4rem; margin: .3rem 0 1rem; }
button, a { background: #0b5cad; color: #fff; border-color: #0b5cad; cursor: pointer; text-align: center;
  text-decoration: none; }
[hidden] { display: none; }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_WORDS = {
    "en": {
        "password": "Password",
        "log in": "Log in",
        "log out": "Log out",
        "wrong": "That is not the password.",
        "later": "Too many wrong passwords. Try again in {seconds} s.",
        "stranger": "You are logged in, but may not see this page. Ask whoever runs it to add your e-mail address.",
    },
    "fr": {
        "password": "Mot de passe",
        "log in": "Se connecter",
        "log out": "Se déconnecter",
        "wrong": "Ce n'est pas le mot de passe.",
        "later": "Trop de mots de passe erronés. Réessayez dans {seconds} s.",
        "stranger": "Vous êtes connecté, mais cette page ne vous est pas ouverte. Demandez à qui la gère d'y ajouter"
        " votre adresse e-mail.",
    },
}


def form(request: Request, *, problem: str = "", seconds: float = 0.0, status: int = 200) -> HTMLResponse:
    """Return the page that asks for a password.

    Args:
        request: whose language and landing page count.
        problem: why it is asked again: `wrong` or `later`; empty the first time.
        seconds: after which one may try again.
        status: of the answer.
    """
    said = words(_accepted(request))
    target = html.escape(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path)
    alert = said[problem].format(seconds=max(1, round(seconds))) if problem else ""
    headers = {"Retry-After": str(max(1, round(seconds)))} if seconds else {}
    body = (
        f'<form method="post" action="{target}"><input name="user" value="e2a" autocomplete="username" hidden>'
        f'<label for="password">{said["password"]}</label>'
        '<input type="password" id="password" name="password" autocomplete="current-password" required autofocus>'
        f'<button>{said["log in"]}</button></form><p role="alert">{alert}</p>'
    )
    return _page(request, body, status, headers)


def link(request: Request, url: str) -> HTMLResponse:
    """Return the page that leads to the provider."""
    return _page(request, f'<a href="{html.escape(url)}">{words(_accepted(request))["log in"]}</a>')


def stranger(request: Request, url: str) -> HTMLResponse:
    """Return the page for one who has logged in but was not invited; `url` logs out."""
    said = words(_accepted(request))
    return _page(request, f'<p>{said["stranger"]}</p><a href="{html.escape(url)}">{said["log out"]}</a>', 403)


def landing(request: Request) -> str:
    """Return where to go after logging in: the page that was asked for, if it is one of ours."""
    wanted = request.query_params.get("next", "")
    return wanted if re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", wanted) else "/"


def language(accepted: str) -> str:
    """Return the language of ours that somebody likes best, by what their `Accept-Language` says (RFC 9110, 12.5.4)."""
    likings = []
    for each in accepted.split(","):
        tag, _, parameter = each.partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameter)
        likings.append((float(quality[1]) if quality else 1.0, tag.strip().partition("-")[0].lower()))
    known = [liking for liking in likings if liking[0] > 0 and liking[1] in _WORDS]
    return max(known, key=lambda liking: liking[0], default=(1.0, "en"))[1]


def words(accepted: str) -> Mapping[str, str]:
    """Return what is said here, by its name, in the language that an `Accept-Language` likes best."""
    return _WORDS[language(accepted)]


def _accepted(request: Request) -> str:
    return request.headers.get("accept-language", "")


def _page(request: Request, body: str, status: int = 200, headers: Mapping[str, str] = {}) -> HTMLResponse:
    spoken = language(_accepted(request))
    text = (
        f'<!doctype html><html lang="{spoken}"><head><meta charset="utf-8"><title>e2a</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>e2a</h1>{body}</main></body></html>"
    )
    return HTMLResponse(text, status, {**_HEADERS, "Vary": "Accept-Language", **headers})
