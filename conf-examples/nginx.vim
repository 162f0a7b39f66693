" This module's directives for vim, beside the nginx syntax that vim has: as
" ~/.vim/after/syntax/nginx.vim.  The Debian package has it in its place.

syn keyword ngxDirectiveThirdParty ratelimit ratelimit_api ratelimit_body
    \ ratelimit_dry_run ratelimit_headers ratelimit_inherit ratelimit_jwt
    \ ratelimit_key ratelimit_log_level ratelimit_on_error ratelimit_policy
    \ ratelimit_redis ratelimit_standing ratelimit_status ratelimit_usage
    \ ratelimit_zone
    \ nextgroup=@ngxParams skipwhite skipempty
