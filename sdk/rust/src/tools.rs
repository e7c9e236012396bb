//! The tools that a request sends.

use crate::types::{ChatRequest, Error, FunctionTool, Opaque, Tool, ToolChoice};

/// A tool to send.
#[derive(Debug, Clone, Copy)]
pub enum SentTool<'a> {
    /// A function of the client's.
    Function(&'a FunctionTool),
    /// A tool that only this format has.
    Own(&'a Opaque),
}

/// The tools of the request that `format` can express, each with its number among all of them.
///
/// If only some functions are allowed, `allowed` names them, and the others are left out. A tool of another format is
/// an error, since the model would not do what the client relies on.
pub fn sent<'a>(
    request: &'a ChatRequest,
    allowed: Option<&[String]>,
    format: &str,
) -> Result<Vec<(usize, SentTool<'a>)>, Error> {
    let mut sent = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(tool) if allowed.is_none_or(|names| names.contains(&tool.name)) => {
                sent.push((at, SentTool::Function(tool)));
            }
            Tool::Function(_) => {}
            Tool::Opaque(opaque) if opaque.format == format => sent.push((at, SentTool::Own(opaque))),
            Tool::Opaque(opaque) => {
                let message = format!("the tool `{}` cannot be expressed in this format", opaque.kind);
                return Err(Error::unsupported(format!("tools[{at}]"), message));
            }
        }
    }
    Ok(sent)
}

/// The functions that the request's choice allows, for formats that express it by leaving out all others; `None` if it
/// allows all.
pub fn allowed(request: &ChatRequest) -> Option<&[String]> {
    match &request.tool_choice {
        Some(ToolChoice::Allowed(allowed)) => Some(&allowed.names),
        _ => None,
    }
}

/// Whether a choice makes the model call a tool.
pub fn is_forced(choice: &ToolChoice) -> bool {
    match choice {
        ToolChoice::Required | ToolChoice::Named(_) => true,
        ToolChoice::Allowed(allowed) => allowed.required,
        ToolChoice::Automatic | ToolChoice::Disabled | ToolChoice::Opaque(_) => false,
    }
}

/// Whether the model would have to know the request's choice although there are no tools: it makes the model call one.
pub fn is_choice_lost(request: &ChatRequest) -> bool {
    request.tool_choice.as_ref().is_some_and(|choice| is_forced(choice) || matches!(choice, ToolChoice::Opaque(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AllowedTools, ErrorKind};

    fn function(name: &str) -> Tool {
        Tool::Function(FunctionTool::new(name))
    }

    fn own(format: &str) -> Tool {
        Tool::Opaque(Opaque { format: format.into(), kind: "search".into(), json: "{}".into() })
    }

    #[test]
    fn only_allowed_functions_are_sent_and_keep_their_numbers() {
        let tools = vec![function("a"), own("mine"), function("b")];
        let choice = ToolChoice::Allowed(AllowedTools { names: vec!["b".into()], required: false });
        let request = ChatRequest { tools, tool_choice: Some(choice), ..ChatRequest::default() };
        let sent = sent(&request, allowed(&request), "mine").unwrap();
        assert_eq!(sent.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
        assert!(matches!(sent[..], [(_, SentTool::Own(_)), (_, SentTool::Function(tool))] if tool.name == "b"));
    }

    #[test]
    fn c05_a_tool_of_another_format_is_refused_by_its_place() {
        let request = ChatRequest { tools: vec![function("a"), own("theirs")], ..ChatRequest::default() };
        let error = sent(&request, None, "mine").unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[1]")));
    }
}
