//! The pages: an index, and one for each document. What they show is written here; no text of a caller's is on them.

use crate::http::doc::document::Document;

/// The look of the pages, beside Swagger UI's own.
pub(super) const STYLE: &str = "\
html { box-sizing: border-box; overflow-y: scroll; }
*, *::before, *::after { box-sizing: inherit; }
body { margin: 0; background: #fafafa; color: #1b1b1b; }
main { max-width: 46rem; margin: 3rem auto; padding: 0 1rem; font: 16px/1.6 system-ui, sans-serif; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 0.2rem; }
p { margin: 0.2rem 0; }
a { color: #0b4f9e; }
code { background: #eceff3; padding: 0 0.25em; border-radius: 3px; }
";

/// The address of a document.
pub(super) fn address(document: Document) -> String {
    let name = document.name();
    format!("/api/documentation/{name}/api-docs-{name}.json")
}

/// The name of the script that shows a document.
pub(super) fn script_name(document: Document) -> String {
    format!("show-{}.js", document.name())
}

/// The script that shows a document. `validatorUrl` is off: by default the page would send the address to a stranger's
/// service.
pub(super) fn script(document: Document) -> String {
    format!(
        "window.ui = SwaggerUIBundle({{\n  url: {:?},\n  dom_id: \"#swagger-ui\",\n  deepLinking: true,\n  \
         docExpansion: \"none\",\n  filter: true,\n  queryConfigEnabled: false,\n  validatorUrl: null,\n  \
         presets: [SwaggerUIBundle.presets.apis],\n  layout: \"BaseLayout\"\n}});\n",
        address(document)
    )
}

/// The page that shows a document.
pub(super) fn reader(document: Document) -> String {
    let (title, _) = document.title();
    let body = format!(
        "<div id=\"swagger-ui\"></div>\n<script src=\"/api/documentation/assets/swagger-ui-bundle.js\"></script>\n\
         <script src=\"/api/documentation/assets/{}\"></script>",
        script_name(document)
    );
    page(
        title,
        "<link rel=\"stylesheet\" href=\"/api/documentation/assets/swagger-ui.css\">\n",
        &body,
    )
}

/// The index.
pub(super) fn index() -> String {
    let entries: String = Document::ALL
        .into_iter()
        .map(|document| {
            let (title, about) = document.title();
            let (name, address, about) = (document.name(), address(document), with_code(about));
            format!(
                "<h2><a href=\"/api/documentation/{name}\">{title}</a></h2>\n<p>{about}</p>\n\
                 <p><a href=\"{address}\"><code>{address}</code></a></p>\n"
            )
        })
        .collect();
    page(
        "Tessera: interfaces",
        "",
        &format!("<main>\n<h1>Tessera: interfaces</h1>\n{entries}</main>"),
    )
}

/// Every second piece between backticks is code.
fn with_code(text: &str) -> String {
    let piece = |(index, piece): (usize, &str)| match index % 2 {
        0 => piece.to_owned(),
        _ => format!("<code>{piece}</code>"),
    };
    text.split('`').enumerate().map(piece).collect()
}

fn page(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n{head}\
         <link rel=\"stylesheet\" href=\"/api/documentation/assets/pages.css\">\n\
         <link rel=\"icon\" type=\"image/png\" href=\"/api/documentation/assets/favicon-32x32.png\">\n</head>\n<body>\n{body}\n\
         </body>\n</html>\n"
    )
}
